/* terminal: the conventions of NO_COLOR, CLICOLOR_FORCE and TERM=dumb. */
#include "frontend/cli/terminal.h"

#include "ir/base/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL_WIDTH = 80, LEAST_WIDTH = 40, MOST_WIDTH = 120 };

/* Shall this stream be coloured? `choice`: always, never or auto (a terminal
   that is not dumb); NO_COLOR and CLICOLOR_FORCE turn auto off and on. */
static bool
color_wanted(const char *choice, FILE *f)
{
    const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE");
    const char *term = getenv("TERM");

    if (strcmp(choice, "auto") != 0)
        return strcmp(choice, "always") == 0;
    if (no && *no)
        return false;
    if (force && *force && strcmp(force, "0") != 0)
        return true;
    return isatty(fileno(f)) && term && *term && strcmp(term, "dumb") != 0;
}

void
color_messages(int argc, char **argv)
{
    const char *choice = "auto";

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strncmp(argv[i], "--color=", 8) == 0)
            choice = argv[i] + 8;
        else if (strcmp(argv[i], "--color") == 0 && i + 1 < argc)
            choice = argv[i + 1];
    diag_color(color_wanted(choice, stderr));
}

/* Columns of the standard output: of the terminal, else 80. */
static int
terminal_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) ||
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col)
        return USUAL_WIDTH;
    if (size.ws_col < LEAST_WIDTH)
        return LEAST_WIDTH;
    return size.ws_col < MOST_WIDTH ? size.ws_col : MOST_WIDTH;
}

void
print_wrapped(int at, int column, const char *text)
{
    int width = terminal_width() - 1, used = at;

    while (*text) {
        int n = (int)strcspn(text, " ");

        if (used > column && used + 1 + n > width) {
            printf("\n");
            used = 0;
        } else if (used > column) {
            printf(" ");
            used++;
        }
        if (used < column)
            printf("%*s", column - used, "");
        used = used < column ? column : used;
        printf("%.*s", n, text);
        used += n;
        text += n + (text[n] == ' ');
    }
    printf("\n");
}
