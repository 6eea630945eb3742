/* rt_main: main() of a compiled training program. */
#include "runtime/train.h"

int
main(int argc, char **argv)
{
    return rt_command(&snug_program, argc, argv);
}
