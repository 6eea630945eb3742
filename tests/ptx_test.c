/* ptx_test: row kernels for GPUs: the PTX says what it should and nothing else
   (no local memory, no space left open, no rounding left to the assembler),
   ptxas takes it without spills where it is installed, and the same kernels as
   grids of threads on this processor give the interpreter's bits only if their
   threads meet. The bits of all kernels: SNUG_TEST_TARGET=grid kernel_test. */
#include "tests/compiled.h"
#include "tests/source.h"

#include <unistd.h>

static const char *const gpus[] = {"cuda:sm_80", "cuda:sm_86", "cuda:sm_89",
                                   "cuda:sm_90"};

/* ---- the text ----------------------------------------------------------- */

static char *
read_all(Arena *a, const char *path)
{
    FILE *f = fopen(path, "r");
    char *text;
    long size;

    cr_assert(f, "%s", path);
    fseek(f, 0, SEEK_END);
    size = ftell(f);
    rewind(f);
    text = NEWN(a, char, size + 1);
    cr_assert_eq(fread(text, 1, (size_t)size, f), (size_t)size);
    fclose(f);
    return text;
}

/* $PTXAS, else what the path or the toolkit's usual place has, else NULL. */
static const char *
assembler(void)
{
    static const char *const usual[] = {"ptxas", "/usr/local/cuda/bin/ptxas"};

    if (getenv("PTXAS"))
        return getenv("PTXAS");
    for (size_t i = 0; i < 2; i++)
        if (shell("command -v %s >/dev/null 2>&1", usual[i]) == 0)
            return usual[i];
    return NULL;
}

/* Assembled without spills or local memory, and with registers for all threads
   of a block. */
static void
assemble(const char *path, const char *gpu)
{
    if (!assembler())
        return;
    cr_expect_eq(shell("%s -arch %s -v --warn-on-spills "
                       "--warn-on-local-memory-usage -Werror -o %s.cubin %s "
                       ">%s.log 2>&1 && ! grep 'stack frame' %s.log | "
                       "grep -qv ' 0 bytes stack frame, 0 bytes spill'"
                       " || { cat %s.log; false; }",
                       assembler(), strchr(gpu, ':') + 1, path, path, path,
                       path, path),
                 0, "%s", gpu);
    shell("rm -f %s.cubin %s.log", path, path);
}

/* The PTX of the module's row kernels. */
static char *
ptx_of(Arena *a, Module *m, const char *gpu)
{
    char path[] = "/tmp/snug-ptx-XXXXXX";
    EmitOptions o = {.machine = target_machine(a, gpu), .target = gpu,
                     .weights = ""};
    char *text;

    close(mkstemp(path));
    grid_emit(m, &o, GRID_PTX, path);
    assemble(path, gpu);
    text = read_all(a, path);
    unlink(path);
    return text;
}

static Module *
planned(Arena *a, const char *text, const char *passes)
{
    PipelineOptions p = {.machine = machine_named("cuda")};
    Module *m = parse_module(a, text, "ptx.snug");

    raise_if_complained();
    pipeline_run(m, passes, &p);
    return m;
}

static int
count(const char *text, const char *word)
{
    int n = 0;

    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

/* Nothing that is slow without need or rounds in another way. */
static void
check_words(const char *ptx)
{
    static const char *const never[] = {
        ".local",   "ld.b",    "ld.u",    "ld.f",    "ld.s8",   "ld.s1",
        "ld.s3",    "ld.s6",   "st.b",    "st.u",    "st.f",    "st.s8",
        "st.s1",    "st.s3",   "st.s6",   "call",    ".extern", ".ftz",
        ".approx",  "mul.f",   "add.f",   "sub.f",   "mad.f",   "div.full",
        "atom",     "trap",    "fma.rz",  "brkpt"};

    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        cr_expect_eq(count(ptx, never[i]), 0, "%s in the PTX", never[i]);
    cr_expect_eq(count(ptx, ".entry"), count(ptx, ".maxntid 128, 1, 1"));
    cr_expect_eq(count(ptx, ".entry"), count(ptx, ".minnctapersm 4"));
    cr_expect_gt(count(ptx, ".entry"), 0);
}

static const char rows[] =
    "graph softmax {\ninput %x : f32[64,1000]\n"
    "f %m = reduce %x op=max axes=[1] : f32[64,1]\n"
    "f %e = map %x, %m \"exp(a-b)\" : f32[64,1000]\n"
    "f %s = reduce %e op=sum axes=[1] : f32[64,1]\n"
    "f %y = div %e, %s : f32[64,1000]\noutput %y\n}\n"
    "graph norm {\ninput %x : f32[300,768]\ninput %g : f32[768]\n"
    "f %s = reduce %x op=sum axes=[1] : f32[300,1]\n"
    "f %c = map %x, %s \"a-b/768\" : f32[300,768]\n"
    "f %q = square %c : f32[300,768]\n"
    "f %v = reduce %q op=sum axes=[1] : f32[300,1]\n"
    "f %y = map %c, %v, %g \"a/sqrt(b/768+1e-5)*c\" : f32[300,768]\n"
    "output %y\n}\n"
    "graph columns {\ninput %x : f32[500,77]\n"
    "f %y = reduce %x op=sum axes=[0] : f32[1,77]\noutput %y\n}\n"
    "graph parts {\ninput %x : f32[4096,77]\n"
    "f %y = reduce %x op=sum axes=[0] : f32[1,77]\noutput %y\n}\n"
    "graph long {\ninput %x : f64[2,100000]\n"
    "f %y = reduce %x op=sum axes=[1] : f64[2,1]\noutput %y\n}\n"
    "graph wide {\ninput %x : f32[40,70000]\n"
    "f %y = reduce %x op=sum axes=[1] : f32[40,1]\noutput %y\n}\n"
    "graph gelu {\ninput %x : f32[64,3072]\ninput %b : f32[3072]\n"
    "f %y = map %x, %b \"(a+b)*.5*(1+erf((a+b)*.7071))\" : f32[64,3072]\n"
    "output %y\n}\n"
    "graph adamw {\ninput %p : f32[1000]\ninput %m : f32[1000]\n"
    "input %v : f32[1000]\ninput %g : f32[1000]\ninput %lr : f64[]\n"
    "f %p.c = copy %p : f32[1000]\nf %m.c = copy %m : f32[1000]\n"
    "f %v.c = copy %v : f32[1000]\n"
    "u %p', %m', %v' = map %p.c, %m.c, %v.c, %g, %lr \"t1 = .9*b+.1*d; "
    "t2 = .999*c+.001*d*d; a-f32(e)*(t1/(sqrt(t2)+1e-8)+.01*a); t1; t2\" : "
    "f32[1000] over %p.c, f32[1000] over %m.c, f32[1000] over %v.c\n"
    "output %p'\noutput %m'\noutput %v'\n}\n"
    "graph narrow {\ninput %x : bf16[100]\ninput %y : f16[100]\n"
    "f %z = map %x, %y \"f32(a)*f32(b)\" : f32[100]\n"
    "f %w = map %z \"bf16(a)\" : bf16[100]\noutput %w\n}\n";

static const char *
module_text(Arena *a, const char *graphs)
{
    Source s = source_new(a);

    text_add(&s.text, "%s", graphs);
    return text_str(&s.text);
}

/* Raised problems fail the test. */
static Arena *
begin(Guard *g)
{
    if (!guarded(g))
        compiled_problem(g);
    return arena_new();
}

Test(ptx, says_what_it_should)
{
    static Guard guard;
    Arena *a = begin(&guard);

    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; i++) {
        Module *m = planned(a, module_text(a, rows), i % 2 ? PLAIN : FUSED);
        char *ptx = ptx_of(a, m, gpus[i]);

        check_words(ptx);
        cr_expect(strstr(ptx, strchr(gpus[i], ':') + 1), "%s", gpus[i]);
    }
    if (!assembler())
        printf("not run: ptxas is not installed\n");
    guard_leave(&guard);
    arena_free(a);
}

/* ---- how often threads meet --------------------------------------------- */

static void
expect_meetings(const char *body, int shuffles, int of_groups, int of_blocks)
{
    static Guard guard;
    Arena *a = begin(&guard);
    Text t = text_new(a);
    char *ptx;

    text_add(&t, "graph g {\n%s}\n", body);
    ptx = ptx_of(a, planned(a, module_text(a, t.s), FUSED), gpus[0]);
    cr_expect_eq(count(ptx, "shfl.sync"), shuffles, "%d shuffles in %s",
                 count(ptx, "shfl.sync"), body);
    cr_expect_eq(count(ptx, "bar.warp.sync"), of_groups, "%d in %s",
                 count(ptx, "bar.warp.sync"), body);
    cr_expect_eq(count(ptx, "bar.sync"), of_blocks, "%d in %s",
                 count(ptx, "bar.sync"), body);
    guard_leave(&guard);
    arena_free(a);
}

/* Four to combine 16 lanes, one more where the order of operands counts, twice
   as many for 64 bits; a meeting before one thread writes for all. Blocks of a
   sum are taken in turn by the groups of a block of threads, which meet before
   and after the results are read; the last, shorter block is code of its
   own. */
Test(ptx, threads_meet_as_often_as_they_must)
{
    expect_meetings("input %x : f32[9,40]\nf %y = exp %x : f32[9,40]\n"
                    "output %y\n", 0, 0, 0);
    expect_meetings("input %x : f32[9,40]\nf %y = reduce %x op=sum axes=[1] : "
                    "f32[9,1]\noutput %y\n", 4, 1, 0);
    expect_meetings("input %x : f32[9,40]\nf %y = reduce %x op=max axes=[1] : "
                    "f32[9,1]\noutput %y\n", 5, 1, 0);
    expect_meetings("input %x : f64[9,40]\nf %y = reduce %x op=sum axes=[1] : "
                    "f64[9,1]\noutput %y\n", 8, 1, 0);
    expect_meetings("input %x : f32[9,40]\nf %y = reduce %x op=sum axes=[0] : "
                    "f32[1,40]\noutput %y\n", 0, 0, 0);
    expect_meetings("input %x : f32[9,400]\n"
                    "f %m = reduce %x op=max axes=[1] : f32[9,1]\n"
                    "f %e = map %x, %m \"exp(a-b)\" : f32[9,400]\n"
                    "f %s = reduce %e op=sum axes=[1] : f32[9,1]\n"
                    "f %y = div %e, %s : f32[9,400]\noutput %y\n", 9, 0, 0);
    expect_meetings("input %x : f32[99,8192]\nf %y = reduce %x op=sum "
                    "axes=[1] : f32[99,1]\noutput %y\n", 4, 0, 3);
    expect_meetings("input %x : f32[99,9999]\nf %y = reduce %x op=sum "
                    "axes=[1] : f32[99,1]\noutput %y\n", 8, 0, 3);
    expect_meetings("input %x : f32[499,40]\nf %y = reduce %x op=sum axes=[0] "
                    ": f32[1,40]\noutput %y\n", 0, 0, 2);
}

/* ---- run on this processor ---------------------------------------------- */

/* The first output of entry `name` with and without threads that wait. */
static void
run_twice(Compiled *c, const char *name, char *kept, int careless)
{
    const RtEntry *e = c->program->entry;
    int k = 0;

    while (strcmp(e[k].name, name) != 0)
        k++;
    memset(c->memory, 0xff, (size_t)c->program->arena_bytes);
    for (int i = 0; i < e[k].inputs; i++) {
        Tensor t = {value_at(c->module->entry[k],
                             c->module->entry[k]->input[i])->type,
                    c->memory + e[k].input[i].offset};

        compiled_fill(&t, (uint64_t)i);
    }
    c->grid->careless = careless;
    compiled_run(c, k, 5);
    memcpy(kept, c->memory + e[k].output[0].offset,
           (size_t)e[k].output[0].bytes);
}

Test(grid, gives_the_interpreters_bits)
{
    Arena *a = arena_new();
    Compiled c;

    setenv("SNUG_TEST_TARGET", "grid", 1);
    for (int fused = 0; fused < 2; fused++) {
        c = compiled_new(module_text(a, rows), fused ? FUSED : PLAIN,
                         "native");
        cr_assert(c.grid->library && c.grid->grid.made >= 8);
        for (int k = 0; k < c.program->entries; k++)
            for (uint64_t seed = 0; seed < 3; seed++)
                compiled_check(&c, k, seed);
        compiled_free(&c);
    }
    arena_free(a);
}

Test(grid, bits_are_wrong_where_threads_do_not_wait)
{
    enum { BYTES = 300 * 768 * 4 };
    static const char *const name[] = {"softmax", "norm", "columns", "wide"};
    Arena *a = arena_new();
    char *with = NEWN(a, char, BYTES), *without = NEWN(a, char, BYTES);
    Compiled c;

    setenv("SNUG_TEST_TARGET", "grid", 1);
    c = compiled_new(module_text(a, rows), FUSED, "native");
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        run_twice(&c, name[i], with, 0);
        run_twice(&c, name[i], without, 1);
        cr_expect(memcmp(with, without, BYTES) != 0, "%s", name[i]);
        run_twice(&c, name[i], without, 0);
        cr_expect(memcmp(with, without, BYTES) == 0, "%s", name[i]);
    }
    compiled_free(&c);
    arena_free(a);
}
