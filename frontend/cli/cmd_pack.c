/* pack: the allocator by itself, on the public format id,lower,upper,size. */
#include "frontend/cli/commands.h"
#include "passes/tools/placement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEARCH_NODES = 4000000, COLUMNS = 4 };

typedef struct Table {
    const char **id;    /* vector */
    Interval *interval; /* vector */
} Table;

/* The column of each of id, lower, upper, size in the head line. */
static bool
find_columns(char *line, int column[COLUMNS])
{
    static const char *const name[COLUMNS] = {"id", "lower", "upper", "size"};
    int at = 0, found = 0;

    for (char *save = NULL, *p = strtok_r(line, ",\r\n", &save); p;
         p = strtok_r(NULL, ",\r\n", &save), at++) {
        for (int c = 0; c < COLUMNS; c++) {
            if (strcmp(p, name[c]) == 0) {
                column[c] = at;
                found |= 1 << c;
            }
        }
    }
    return found == (1 << COLUMNS) - 1;
}

static bool
parse_integer(const char *text, int64_t *x)
{
    char *end;

    errno = 0;
    *x = strtoll(text, &end, 10);
    return end != text && *end == 0 && errno == 0 && *x >= 0;
}

static void
read_row(Arena *a, Loc loc, char *line, const int column[COLUMNS], Table *t)
{
    char *field[COLUMNS] = {0}, *save = NULL;
    Interval x = {0};
    int at = 0;

    for (char *p = strtok_r(line, ",\r\n", &save); p;
         p = strtok_r(NULL, ",\r\n", &save), at++)
        for (int c = 0; c < COLUMNS; c++)
            if (column[c] == at)
                field[c] = p;
    if (!field[0] || !field[1] || !field[2] || !field[3] ||
        !parse_integer(field[1], &x.lower) ||
        !parse_integer(field[2], &x.upper) ||
        !parse_integer(field[3], &x.size) || x.upper <= x.lower ||
        x.size > INT64_MAX / 4) {
        complain(loc, "id,lower,upper,size expected, with whole numbers from "
                      "0 on and lower below upper");
        return;
    }
    vec_push(a, t->id, field[0]);
    vec_push(a, t->interval, x);
}

static Table
read_table(Arena *a, const char *path)
{
    char *text = read_text(a, path), *save = NULL;
    int column[COLUMNS];
    Loc loc = {.file = path, .line = 1};
    Table t = {0};
    int64_t total = 0;
    char *line = strtok_r(text, "\n", &save);

    if (!line || !find_columns(line, column))
        raise_at(loc, "the first line must name the columns id, lower, upper "
                      "and size");
    while ((line = strtok_r(NULL, "\n", &save))) {
        loc.line++;
        if (line[strspn(line, " \r\t")])
            read_row(a, loc, line, column, &t);
    }
    raise_if_complained();
    for (size_t i = 0; i < vec_len(t.interval); i++)
        if (__builtin_add_overflow(total, t.interval[i].size, &total) ||
            total > INT64_MAX / 4)
            raise_at((Loc){.file = path}, "the sizes add up to more than any "
                                          "memory has");
    return t;
}

int
cmd_pack(const Args *args)
{
    Arena *a = args->arena;
    int64_t capacity = bytes_given(args, OPT_capacity);
    Text out = text_new(a);
    Placement p;
    Table t;

    expect_operands(args, 1);
    t = read_table(a, args->operand[0]);
    p = placement_solve(a, t.interval, (int)vec_len(t.interval), capacity,
                        SEARCH_NODES);
    fprintf(stderr,
            "%zu buffers: height %" PRId64 ", bound %" PRId64
            ", gap %.2f %%%s\n",
            vec_len(t.interval), p.height, p.bound,
            p.bound ? 100 * ((double)p.height / (double)p.bound - 1) : 0,
            p.proven ? ", optimal" : "");
    if (capacity && p.height > capacity)
        raise_status(ST_NO_FIT, (Loc){.file = args->operand[0]},
                     "%s below %" PRId64 ": the best found is %" PRId64,
                     capacity < p.bound ? "nothing fits"
                                        : "no placement was found",
                     capacity, p.height);
    text_add(&out, "id,lower,upper,size,offset\n");
    for (size_t i = 0; i < vec_len(t.interval); i++)
        text_add(&out, "%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
                 t.id[i], t.interval[i].lower, t.interval[i].upper,
                 t.interval[i].size, t.interval[i].offset);
    write_text(a, option(args, OPT_output, "-"), out.s);
    return ST_OK;
}
