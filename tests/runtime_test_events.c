/* runtime_test_events: records beside those of TensorBoard's own writer
   (tests/reference/events.py), and what is made of damaged files. */
#include "runtime/events.h"
#include "tests/runtime_test_files.h"
#include "tests/runtime_test_linear.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(events, .init = enter_folder, .fini = leave_folder);

static const char head[] = "1800000000000000a37f4b2209000000000000f83f1a0d"
                           "627261696e2e4576656e743a322a28646c",
                  scalars[] = "2600000000000000734fe3000900000000000004"
                              "4010ac022a180a0b0a046c6f7373150000803e0a09"
                              "0a026c72156f12833a64361c81";

static void
expect_bytes(const char *made, int64_t bytes, const char *digits)
{
    char text[2 * RT_EVENT_MOST + 1] = "";

    for (int64_t i = 0; i < bytes; i++)
        sprintf(text + 2 * i, "%02x", (unsigned char)made[i]);
    cr_expect_str_eq(text, digits);
}

Test(events, bytes_are_those_of_tensorboard)
{
    static const RtScalar scalar[] = {{"loss", 0.25}, {"lr", 1e-3}};
    char made[RT_EVENT_MOST];
    int64_t step = -1, bytes = rt_event_head(made, 1.5);

    expect_bytes(made, bytes, head);
    cr_expect_eq(rt_event_read(made, bytes, &step), bytes);
    cr_expect_eq(step, 0);
    bytes = rt_event_scalars(made, 2.5, 300, 2, scalar);
    expect_bytes(made, bytes, scalars);
    cr_expect_eq(rt_event_read(made, bytes, &step), bytes);
    cr_expect_eq(step, 300);
}

Test(events, damage_is_found)
{
    static const RtScalar scalar[] = {{"loss", 0.25}, {"lr", 1e-3}};
    char made[RT_EVENT_MOST];
    int64_t step, bytes = rt_event_scalars(made, 2.5, 300, 2, scalar);

    for (int64_t cut = 0; cut < bytes; cut++)
        cr_expect_eq(rt_event_read(made, cut, &step), 0);
    for (int64_t i = 0; i < bytes; i++) {
        made[i] ^= 0x10;
        cr_expect_eq(rt_event_read(made, bytes, &step), 0, "byte %d", (int)i);
        made[i] ^= 0x10;
    }
}

/* The steps of the records in a file, which must all be whole. */
static int
count_records(const char *path, int64_t *last)
{
    Bytes file = read_whole(path);
    int64_t at = 0, length;
    int count = 0;

    while (at < file.count) {
        length = rt_event_read(file.at + at, file.count - at, last);
        cr_assert(length);
        at += length;
        count++;
    }
    return count;
}

Test(events, a_folder_gets_a_record_a_step)
{
    int64_t last = 0;

    write_rows(50);
    cr_assert_eq(run(&linear_filled, "--data both.npz --eval both.npz --epochs "
                                     "5 --quiet --log logs/"),
                 RT_OK);
    cr_expect_eq(count_records("logs/events.out.tfevents.snug", &last), 32);
    cr_expect_eq(last, 30);
    cr_expect_eq(run(&linear_filled, "--data both.npz --steps 2 --quiet --log "
                                     "logs"),
                 RT_OK);
    cr_expect_eq(count_records("logs/events.out.tfevents.snug", &last), 3);
}

Test(events, a_resumed_run_goes_on_in_its_file)
{
    static const char more[] = "what a run that was killed left half";
    const char *path = "logs/events.out.tfevents.snug";
    Bytes file;
    int64_t last = 0;

    write_rows(50);
    mkdir("logs", 0777);
    cr_assert_eq(run(&linear_filled, "--data both.npz --steps 6 --quiet --log "
                                     "logs --checkpoint d --every 3"),
                 RT_OK);
    file = read_whole(path);
    put(&file, more, sizeof more);
    write_file(path, file.at, file.count);
    cr_assert_eq(run(&linear_filled, "--data both.npz --steps 9 --quiet --log "
                                     "logs --checkpoint d --resume"),
                 RT_OK);
    cr_expect_eq(count_records(path, &last), 10);
    cr_expect_eq(last, 9);
}

Test(events, a_folder_that_cannot_be_is_refused)
{
    write_rows(50);
    cr_expect_neq(run(&linear_filled, "--data both.npz --steps 2 --quiet --log "
                                      "both.npz/"),
                  RT_OK);
    cr_expect(strstr(rt_message(), "both.npz/"), "%s", rt_message());
}
