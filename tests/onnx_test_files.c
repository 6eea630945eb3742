/* onnx_test_files: see the header. */
#include "tests/onnx_test_files.h"

#include "ir/text.h"
#include "ir/verify.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static void
round_trip(Arena *a, Module *m)
{
    const char *first = print_module(a, m), *second;
    Module *again;

    verify_module(m);
    raise_if_complained();
    again = parse_module(a, first, "printed");
    raise_if_complained();
    second = print_module(a, again);
    if (strcmp(first, second) != 0)
        raise_at(NOWHERE, "printed again it differs");
}

Imported
import_path(const char *path, const DimBinding *dim, int dims)
{
    static Guard g;
    static Imported m; /* survives the jump */

    m = (Imported){.arena = arena_new()};
    if (guarded(&g)) {
        Module *made = import_onnx(m.arena, path, dim, dims);

        round_trip(m.arena, made);
        m.module = made;
        guard_leave(&g);
    } else {
        m.problems = diag_text(&g);
        diag_free(&g);
    }
    return m;
}

Imported
import_bytes(const void *bytes, size_t size)
{
    write_whole("model.onnx", bytes, size);
    return import_path("model.onnx", NULL, 0);
}

void
imported_free(Imported *m)
{
    free(m->problems);
    arena_free(m->arena);
}

Tensor *
run_forward(Imported *m, const Tensor *in)
{
    static Guard g;
    Graph *graph = module_entry(m->module, "forward");
    Tensor *volatile out =
        NEWN(m->arena, Tensor, vec_len(graph->output) + 1);

    if (guarded(&g)) {
        Stores *s = NEW(m->arena, Stores);

        if (!eval_init_stores(m->arena, m->module, s))
            raise_if_complained();
        eval_graph(m->arena, graph, s, in, out);
        guard_leave(&g);
        return out;
    }
    m->problems = diag_text(&g);
    diag_free(&g);
    return NULL;
}

bool
close_to(const Tensor *got, const Tensor *expected, double bound,
         double *worst)
{
    *worst = 0;
    if (!type_equal(&got->type, &expected->type))
        return false;
    for (int64_t i = 0; i < type_elements(&got->type); i++) {
        double x = tensor_get(got, i), y = tensor_get(expected, i);
        double error = fabs(x - y) / fmax(1, fabs(y));

        if (x == y || (isnan(x) && isnan(y)))
            continue;
        *worst = error > *worst || isnan(error) ? error : *worst;
    }
    return *worst <= bound;
}

Bytes
read_whole(Arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    Bytes b = {0};
    long size;

    cr_assert(f, "%s cannot be read", path);
    cr_assert_eq(fseek(f, 0, SEEK_END), 0);
    size = ftell(f);
    rewind(f);
    cr_assert_geq(size, 0);
    b.size = (size_t)size;
    b.at = NEWN(a, unsigned char, size + 1);
    cr_assert_eq(fread(b.at, 1, b.size, f), b.size);
    fclose(f);
    return b;
}

void
write_whole(const char *path, const void *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");

    cr_assert(f, "%s cannot be written", path);
    cr_assert_eq(fwrite(bytes, 1, size, f), size);
    cr_assert_eq(fclose(f), 0);
}

void
enter_folder(void)
{
    const char *under = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%.40s/onnx.XXXXXX",
             under && strlen(under) < 40 ? under : "/tmp");
    cr_assert(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

void
leave_folder(void)
{
    char command[96];

    cr_assert_eq(chdir("/"), 0);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

const char *
source_path(Arena *a, const char *relative)
{
    Text t = text_new(a);

    text_add(&t, "%s/%s", TEST_SOURCE_DIR, relative);
    return t.s;
}
