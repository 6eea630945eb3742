/* stop: the handler only notes the signal; where a page is lost nothing can go
   on. */
#include "runtime/stop.h"

#include "runtime/status.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void
note(int signal_number)
{
    if (asked)
        _exit(128 + signal_number);
    asked = signal_number;
}

/* Tables are read in a mapped file, where a fault is no status of a call. */
static void
tell_lost_page(int signal_number)
{
    static const char words[] =
        "error E1003: a page of the file of a tier cannot be read or written: "
        "the disk fails, or has no room; stopped, nothing is saved of this "
        "step, earlier checkpoints stand\n";
    (void)signal_number;
    ssize_t told = write(STDERR_FILENO, words, sizeof words - 1);
    _exit(told < 0 ? 2 : 1);
}

void
rt_stop_watch(void)
{
    struct sigaction action = {.sa_flags = SA_RESTART};
    action.sa_handler = note;
    sigemptyset(&action.sa_mask);
    asked = 0;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = tell_lost_page;
    sigaction(SIGBUS, &action, NULL);
}

int
rt_stop_asked(void)
{
    if (!asked)
        return RT_OK;
    return asked == SIGINT ? RT_STOP_INTERRUPT : RT_STOP_TERMINATE;
}
