/* stop: the handler only notes the signal. */
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

void
rt_stop_watch(void)
{
    struct sigaction action = {.sa_flags = SA_RESTART};
    action.sa_handler = note;
    sigemptyset(&action.sa_mask);
    asked = 0;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int
rt_stop_asked(void)
{
    if (!asked)
        return RT_OK;
    return asked == SIGINT ? RT_STOP_INTERRUPT : RT_STOP_TERMINATE;
}
