/* terminal: colour and width of what is printed. */
#ifndef SNUG_TERMINAL_H
#define SNUG_TERMINAL_H

/* Colours of messages by --color, which is looked for in all words: a wrong
   word in front of it is told in colour too. */
void color_messages(int argc, char **argv);

/* The text in lines that begin at this column and end before the width; the
   first goes on where the cursor is (`at`). */
void print_wrapped(int at, int column, const char *text);

#endif
