/* calibrate: trains the nets of calibrate/nets.def on made-up data, on one
   thread and on all, and writes down what each of their kernels took. */
#include "codegen/emit.h"
#include "codegen/fingerprint.h"
#include "codegen/link.h"
#include "frontend/cli/calibrate.h"
#include "frontend/cli/commands.h"
#include "ir/base/embedded.h"
#include "ir/base/output.h"
#include "ir/cost.h"
#include "ir/text.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct NetRow {
    const char *file, *rule, *precision, *parts, *sizes;
} NetRow;

static const NetRow nets[] = {
#define NET(file, rule, precision, parts, sizes)                               \
    {#file, rule, precision, parts, sizes},
#include "frontend/cli/calibrate/nets.def"
#undef NET
};

enum { NETS = sizeof nets / sizeof *nets };

static int
processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

/* ---- a net's text ------------------------------------------------------- */

static const char *
net_text(const char *name)
{
    for (const Embedded *e = embedded_nets; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return e->text;
    UNREACHABLE();
}

/* The value of `name` (of `length` characters) in "NAME=value ...". */
static void
add_size(Text *t, const char *sizes, const char *name, size_t length)
{
    for (const char *at = sizes; at; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, name, length) == 0 && at[length] == '=') {
            at += length + 1;
            text_add_n(t, at, strcspn(at, " "));
            return;
        }
    }
    UNREACHABLE();
}

/* The text of a net with its sizes in place of $NAME. */
static const char *
sized_text(Arena *a, const NetRow *net)
{
    static const char *const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZof0123456789";
    const char *at = net_text(net->file);
    Text t = text_new(a);

    while (*at) {
        size_t plain = strcspn(at, "$"), length;

        text_add_n(&t, at, plain);
        at += plain;
        if (!*at)
            break;
        length = strspn(++at, letters);
        add_size(&t, net->sizes, at, length);
        at += length;
    }
    return text_str(&t);
}

/* ---- its program -------------------------------------------------------- */

static void
give(Args *args, Option o, const char *value)
{
    vec_push(args->arena, args->given[o], value);
}

static Module *
planned_net(const Args *args, const NetRow *net)
{
    Args own = *args;
    Module *m = parse_module(args->arena, sized_text(args->arena, net),
                             net->file);

    raise_if_complained();
    own.given[OPT_optimizer] = own.given[OPT_precision] = NULL;
    own.given[OPT_set] = NULL;
    give(&own, OPT_optimizer, net->rule);
    give(&own, OPT_precision, net->precision);
    if (strcmp(net->rule, "sgd") == 0)
        give(&own, OPT_set, "mu=0.9");
    if (net->parts)
        give(&own, OPT_set, net->parts);
    run_passes(&own, m, passes_left(m));
    return m;
}

static char *
within(Arena *a, const char *folder, const char *name)
{
    Text t = text_new(a);

    text_add(&t, "%s/%s", folder, name);
    output_temporary(a, t.s);
    return t.s;
}

static void
build_program(const Args *args, const Module *m, const char *folder)
{
    Arena *a = args->arena;
    const char *target = option(args, OPT_target, "native");
    const char *object = within(a, folder, "net.o");
    EmitOptions o = {.machine = machine_of(args),
                     .target = target,
                     .weights = "net.safetensors"};

    emit_module(m, &o, EMIT_OBJECT, object);
    link_object(a, link_tools(a, target, NULL), object, LINK_PROGRAM,
                within(a, folder, "net"), "net");
    write_weights(m, within(a, folder, "net.safetensors"));
}

static double
seconds_of(const Args *args)
{
    return strtod(option(args, OPT_seconds, "1"), NULL);
}

static void
measure_net(const Args *args, const NetRow *net, Figures *f)
{
    Arena *a = arena_new();
    Args own = *args;
    const char *folder = output_temporary_folder(args->arena);
    double seconds = seconds_of(args);
    Measured one, many;

    own.arena = a;
    build_program(&own, planned_net(&own, net), folder);
    one = measure_program(a, folder, 1, seconds);
    many = f->workers > 1 ? measure_program(a, folder, f->workers, seconds)
                          : one;
    add_figures(args->arena, f, &one, &many);
    if (!option_on(args, OPT_quiet))
        fprintf(stderr, "%-10s %-4s %9.3f ms a step on 1 thread, %9.3f on %d\n",
                net->file, net->precision, 1e3 * one.step, 1e3 * many.step,
                f->workers);
    arena_free(a);
}

/* ---- all of it ---------------------------------------------------------- */

static void
make_folders(const char *path)
{
    Arena *a = arena_new();
    Text t = text_new(a);

    text_add(&t, "%s", path);
    for (char *s = t.s + 1; *s; s++)
        if (*s == '/') {
            *s = 0;
            mkdir(t.s, 0777);
            *s = '/';
        }
    arena_free(a);
}

/* As the program wants it. */
static void
require_seconds(const char *text)
{
    char *end;
    double x = strtod(text, &end);

    if (end == text || *end || !(x > 0) || x > 3600)
        raise_status(ST_USAGE, NOWHERE,
                     "--seconds %s: a number above 0, up to 3600, expected",
                     text);
}

static const char *
result_path(const Args *args)
{
    const char *path = option(args, OPT_output, NULL);

    if (path)
        return path;
    path = machine_file(args);
    if (!path)
        raise_status(ST_USAGE, NOWHERE,
                     "neither HOME nor XDG_CONFIG_HOME says where the "
                     "figures are kept: name a file with -o");
    make_folders(path);
    return path;
}

/* Said before a minute of measuring, not behind it. */
static void
require_writable(Arena *a, const char *path)
{
    if (strcmp(path, "-") != 0 && !output_is_stream(path))
        output_file(a, path);
}

static void
measure_links(const Args *args, Figures *f)
{
    add_links(args->arena, f, option(args, OPT_spill, "."));
    for (size_t i = 0; i < vec_len(f->link) && !option_on(args, OPT_quiet);
         i++)
        fprintf(stderr, "%-15s %9.0f MB/s out, %9.0f back\n",
                f->link[i].space, 1e-6 * f->link[i].link->away,
                1e-6 * f->link[i].link->back);
}

int
cmd_calibrate(const Args *args)
{
    const char *path;
    Figures f = {.target = machine_of(args)->name,
                 .workers = processors(),
                 .kernels = kernels_fingerprint};

    expect_operands(args, 0);
    require_seconds(option(args, OPT_seconds, "1"));
    path = result_path(args);
    require_writable(args->arena, path);
    measure_links(args, &f);
    for (int i = 0; i < NETS; i++)
        measure_net(args, &nets[i], &f);
    write_text(args->arena, path, figures_print(args->arena, &f));
    if (!option_on(args, OPT_quiet) && strcmp(path, "-") != 0)
        fprintf(stderr, "wrote      %s: %zu kernels of %s\n", path,
                vec_len(f.row), f.target);
    return ST_OK;
}
