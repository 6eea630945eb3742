/* compile: model -> plan -> object -> program. */
#include "codegen/cache.h"
#include "codegen/emit.h"
#include "codegen/gpu/grid.h"
#include "codegen/link.h"
#include "codegen/target.h"
#include "frontend/cli/commands.h"
#include "frontend/cli/page.h"
#include "frontend/onnx/import.h"
#include "ir/base/output.h"
#include "ir/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum Kind {
    K_EXE,
    K_LIB,
    K_SO,
    K_OBJ,
    K_ASM,
    K_LLVM,
    K_PTX,
    K_PLAN,
    K_IR
} Kind;

typedef struct KindRow {
    const char *name, *ending;
} KindRow;

static const KindRow kinds[] = {
    [K_EXE] = {"exe", ""},        [K_LIB] = {"lib", ".a"},
    [K_SO] = {"so", ".so"},       [K_OBJ] = {"obj", ".o"},
    [K_ASM] = {"asm", ".s"},      [K_LLVM] = {"llvm", ".ll"},
    [K_PTX] = {"ptx", ".ptx"},    [K_PLAN] = {"plan", ".snug"},
    [K_IR] = {"ir", ".snug"},
};

static Kind
kind_of(const Args *args)
{
    const char *name = option(args, OPT_emit, "exe");

    require_word(args, OPT_emit, "exe");
    for (Kind k = K_EXE; k <= K_IR; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return k;
    UNREACHABLE();
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static const char *
beside(Arena *a, const char *path, const char *ending)
{
    Text t = text_new(a);

    text_add(&t, "%s%s", path, ending);
    return t.s;
}

/* The folder with what was made before; NULL: everything is made anew. */
static const char *
cache_of(const Args *args)
{
    const char *asked = option(args, OPT_cache, NULL), *folder;

    if (!option_on(args, OPT_no_cache)) {
        folder = cache_folder(args->arena, asked);
        if (option_on(args, OPT_verbose))
            note_at(NOWHERE, "kernels are kept in %s",
                    folder ? folder : "no folder: none can be written");
        return folder;
    }
    if (asked)
        raise_status(ST_USAGE, NOWHERE,
                     E(E0108) "--cache %s and --no-cache: one of them only",
                     asked);
    return NULL;
}

static EmitOptions
emit_options(const Args *args, Module *m, const char *path)
{
    EmitOptions o = {.machine = machine_of(args),
                     .target = option(args, OPT_target, "native")};

    o.weights = beside(args->arena, base_name(path), ".safetensors");
    if (module_get(m, "onnx"))
        o.piece =
            export_pieces(args->arena, m, module_get(m, "onnx"), &o.pieces);
    raise_if_complained();
    return o;
}

/* LLVM's text or assembly, which may go to a stream. */
static void
write_code(const Args *args, Module *m, Kind kind, const char *path)
{
    bool stream = strcmp(path, "-") == 0 || output_is_stream(path);
    const char *to =
        stream ? output_temporary_file(args->arena, ".o")
               : output_file(args->arena, path);
    EmitOptions o = emit_options(args, m, path);

    emit_module(m, &o, kind == K_LLVM ? EMIT_LLVM : EMIT_ASM, to);
    if (stream)
        write_text(args->arena, path, read_text(args->arena, to));
}

/* What is not among the kernels is said: a program needs it too. */
static void
write_ptx(const Args *args, Module *m, const char *path)
{
    const char *made = output_temporary_file(args->arena, ".o");
    EmitOptions o = emit_options(args, m, path);
    Grid grid = grid_emit(m, &o, GRID_PTX, made);

    write_text(args->arena, path, read_text(args->arena, made));
    if (grid.left_out && !option_on(args, OPT_quiet))
        fprintf(stderr,
                "note: %d of %d kernels are in the PTX; the other nodes have "
                "none for a GPU yet: %s\n",
                grid.made, grid.made + grid.left_out, grid.left);
}

static void
refuse_own_input(const Args *args, const char *path)
{
    struct stat in, out;

    if (stat(args->operand[0], &in) == 0 && stat(path, &out) == 0 &&
        in.st_dev == out.st_dev && in.st_ino == out.st_ino)
        raise_at((Loc){.file = path},
                 E(E0204) "is the model itself, which the "
                          "result would replace\nname another "
                          "file with -o");
}

/* A program or library and its weights: neither replaces an older one before
   both are whole. */
static void
write_object(const Args *args, Module *m, Kind kind, const char *path)
{
    Arena *a = args->arena;
    bool linked = kind != K_OBJ, timed = option_on(args, OPT_time_passes);
    double start = seconds_now();
    Text made = text_new(a);
    const Tools *tools = NULL;
    const char *object;
    const char *cache = cache_of(args);
    EmitOptions o;

    if (linked)
        tools = link_tools(a, option(args, OPT_target, "native"), cache);
    path = output_file(a, path);
    if (kind == K_SO)
        link_python_allowed(a, path);
    o = emit_options(args, m, path);
    o.cache = cache;
    text_add(&made, "%s.tmp-%d", path, (int)getpid());
    output_temporary(a, made.s);
    object = linked ? output_temporary_file(a, ".o") : made.s;
    emit_module(m, &o, EMIT_OBJECT, object);
    if (timed)
        tell_seconds("(kernels)", start);
    start = seconds_now();
    if (linked)
        link_object(a, tools, object,
                    kind == K_EXE   ? LINK_PROGRAM
                    : kind == K_LIB ? LINK_STATIC
                                    : LINK_SHARED,
                    made.s, path);
    write_weights(m, beside(a, path, ".safetensors"));
    if (timed)
        tell_seconds("(link)", start);
    if (kind == K_LIB || kind == K_SO)
        link_header(a, path);
    if (kind == K_SO)
        link_python(m, path);
    if (rename(made.s, path) != 0)
        raise_at((Loc){.file = path}, E(E0202) "cannot be written: %s",
                 strerror(errno));
}

static int64_t
store_bytes(const Module *m, StoreKind kind, int64_t *elements)
{
    int64_t bytes = 0;

    for (size_t i = 1; i < vec_len(m->store); i++) {
        if (m->store[i].kind != kind)
            continue;
        bytes += type_bytes(&m->store[i].type);
        *elements += type_elements(&m->store[i].type);
    }
    return bytes;
}

static const char *
meta_bytes(const Args *args, const Module *m, const char *key)
{
    const char *text = module_get(m, key);

    return format_bytes(args->arena, text ? strtoll(text, NULL, 10) : 0);
}

static void
tell(const Args *args, const Module *m, const char *path, double seconds)
{
    int64_t parameters = 0, states = 0;
    int64_t weights = store_bytes(m, SK_PARAM, &parameters);
    int64_t state = store_bytes(m, SK_STATE, &states);
    const char *peak = module_get(m, "peak"), *bound = module_get(m, "bound");
    const char *order = module_get(m, "order");
    struct stat st = {0};

    stat(path, &st);
    fprintf(stderr, "%s: %lld parameters, loss %s, optimizer %s\n", m->name,
            (long long)parameters,
            module_get(m, "loss") ? module_get(m, "loss") : "none",
            module_get(m, "optimizer") ? module_get(m, "optimizer") : "none");
    fprintf(stderr, "weights    %12s\nstate      %12s\n",
            format_bytes(args->arena, weights),
            format_bytes(args->arena, state));
    if (peak && bound)
        fprintf(stderr,
                "peak       %12s planned (%s bytes)\n"
                "bound      %12s, gap %.2f %%, order %s\n",
                meta_bytes(args, m, "peak"), peak, meta_bytes(args, m, "bound"),
                100 * (strtod(peak, NULL) / strtod(bound, NULL) - 1),
                order ? order : "as given");
    fprintf(stderr, "wrote      %s (%s) in %.2f s\n", path,
            format_bytes(args->arena, st.st_size), seconds);
}

/* Known before the work is done. */
static void
require_name(Kind kind, const char *path)
{
    if (!*path)
        raise_status(ST_USAGE, NOWHERE,
                     "-o: the name of the output file is empty");
    if (strcmp(path, "-") == 0 &&
        (kind == K_EXE || kind == K_LIB || kind == K_SO || kind == K_OBJ))
        raise_status(ST_USAGE, NOWHERE,
                     "-o -: only --emit ir, plan, llvm, asm and ptx can go to "
                     "the standard output; name a file");
}

/* A GPU's target is for its kernels, and they are for it only. */
static void
require_target(const Args *args, Kind kind)
{
    const char *name = option(args, OPT_target, "native");
    bool grid = target_grid(target_named(name));

    if (kind == K_PTX && !grid)
        raise_status(
            ST_USAGE, NOWHERE,
            E(E0701) "--emit ptx: for which GPU? --target cuda:sm_80 or "
                     "another of `snug help targets`");
    if (grid && kind != K_PTX && kind != K_PLAN && kind != K_IR)
        raise_status(
            ST_USAGE, NOWHERE,
            E(E0701) "--target %s: there are kernels for it, but no programs "
                     "yet: --emit ptx (or plan, or ir)",
            name);
}

/* A refusal names the way out. */
static void
plan_or_refuse(const Args *args, Module *m, Kind kind)
{
    Guard guard;

    if (guarded(&guard)) {
        run_passes(args, m, kind == K_IR ? "" : passes_left(m));
        raise_if_complained();
        guard_leave(&guard);
        return;
    }
    raise_again(&guard, guard.status == ST_NO_FIT
                            ? "hint: `snug plan` with the same model, options "
                              "and --suggest ranks ways to fit"
                            : NULL);
}

int
cmd_compile(const Args *args)
{
    double start = seconds_now();
    Kind kind = kind_of(args);
    Text path = text_new(args->arena);
    Module *m;

    expect_operands(args, 1);
    use_machine_file(args);
    text_add(&path, "train%s", kinds[kind].ending);
    path.s = (char *)(uintptr_t)option(args, OPT_output, path.s);
    require_name(kind, path.s);
    require_target(args, kind);
    m = load_model(args, args->operand[0]);
    plan_or_refuse(args, m, kind);
    if (m->stage == ST_PLACED)
        require_good_plan(args, m);
    page_report(args, m);
    if (kind == K_IR || kind == K_PLAN) {
        write_text(args->arena, path.s, print_module(args->arena, m));
        return ST_OK;
    }
    if (m->stage != ST_PLACED)
        raise_status(
            ST_USAGE, NOWHERE,
            E(E0403) "the passes end at stage %s; a program needs a placed "
                     "module: let them end with ...,schedule,place",
            stage_name(m->stage));
    refuse_own_input(args, path.s);
    if (kind == K_PTX)
        write_ptx(args, m, path.s);
    else if (kind == K_LLVM || kind == K_ASM)
        write_code(args, m, kind, path.s);
    else
        write_object(args, m, kind, path.s);
    if (!option_on(args, OPT_quiet) && strcmp(path.s, "-") != 0)
        tell(args, m, path.s, seconds_now() - start);
    return ST_OK;
}
