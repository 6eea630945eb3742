/* seeds: writes small files to begin with: `seeds FOLDER CASES...`: the models
   in the files of tests/onnx, and one file of data of every kind, weights and a
   checkpoint. */
#include "frontend/cli/npy.h"
#include "ir/eval.h"
#include "runtime/image.h"
#include "runtime/memory.h"
#include "tests/runtime_test_linear.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH = 4096, ROWS = 9, MODEL_MOST = 3000 };

static FILE *
create(const char *folder, const char *name)
{
    char path[PATH];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

/* A record is a letter, a length of 4 bytes and so many bytes; `m` is a
   model. */
static void
take_models(const char *folder, const char *cases, int *count)
{
    static char bytes[1 << 20];
    FILE *f = fopen(cases, "rb"), *out;
    unsigned char head[5];
    char name[64];

    while (f && fread(head, 1, sizeof head, f) == sizeof head) {
        size_t n = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16;

        if (head[4] || n > sizeof bytes || fread(bytes, 1, n, f) != n)
            break;
        if (head[0] != 'm' || n > MODEL_MOST)
            continue;
        snprintf(name, sizeof name, "model/%d", (*count)++);
        out = create(folder, name);
        fwrite(bytes, 1, n, out);
        fclose(out);
    }
    if (f)
        fclose(f);
}

/* data/NAME: the format's letter in front of the file's bytes. */
static void
copy_data(const char *folder, const char *name, char format, const char *from)
{
    FILE *in = fopen(from, "rb"), *out = create(folder, name);
    int c;

    fputc(format, out);
    while (in && (c = getc(in)) != EOF)
        fputc(c, out);
    if (in)
        fclose(in);
    fclose(out);
}

static Tensor
rows_of(Arena *a, DType d, int columns)
{
    const int64_t dim[] = {ROWS, columns};
    Type t = {0};

    type_make(d, columns ? 2 : 1, dim, &t);
    return tensor_new(a, t);
}

static void
write_arrays(const char *folder)
{
    Arena *a = arena_new();
    const char *const names[] = {"x", "labels"};
    Tensor t[2] = {rows_of(a, DT_F32, LINEAR_FEATURES), rows_of(a, DT_I64, 0)};
    char path[PATH];

    snprintf(path, sizeof path, "%s/made.npz", folder);
    npz_write(a, path, 2, names, t);
    copy_data(folder, "data/npz", 'z', path);
    snprintf(path, sizeof path, "%s/made.npy", folder);
    npz_write(a, path, 1, names, t);
    copy_data(folder, "data/npy", 'n', path);
    arena_free(a);
}

static void
write_table(const char *folder)
{
    FILE *f = create(folder, "data/csv");

    fputs("cx0,x1,x2,x3,x4,labels\n", f);
    for (int i = 0; i < ROWS; i++)
        fprintf(f, "%d,-1.5,2e-3,0,\"%d\",%d\n", i, i, i % LINEAR_CLASSES);
    fclose(f);
    f = create(folder, "pack/table");
    fputs("id,lower,upper,size\n", f);
    for (int i = 0; i < ROWS; i++)
        fprintf(f, "b%d,%d,%d,%d\n", i, i, i + 2 + i % 3, 64 * (1 + i % 4));
    fclose(f);
}

static void
write_words(const char *folder)
{
    static const char *const lines[] = {
        "opt\n--passes=fold,cse,dce\n--memory\n64MiB\nmodel.snug\n-o\n-\n",
        "plan\nmodel.onnx\n--set=lr=1e-3\n--loss\nmse\n--json\n--dim\nb=4\n",
        "compile\n--passes\ndefault\n--set=optimizer.rule=sgd\n--set\n"
        "loss.kind=mse\n",
        "--data\nx.npz\n--epochs\n3\n--lr=0.1\n--schedule\n"
        "cosine,warmup=10\n--seed\n7\n--threads=2\n",
    };
    char name[64];

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        FILE *f;

        snprintf(name, sizeof name, "command/%zu", i);
        f = create(folder, name);
        fputs(lines[i], f);
        fclose(f);
    }
}

static void
write_checkpoint(const char *folder)
{
    const RtProgram *p = &linear_program;
    RtModel m = {.program = p};
    RtRegion r = {0};
    RtImage image;
    RtOutput output;
    char path[PATH], notes[400];

    m.arena.base = calloc(1, (size_t)p->arena_bytes);
    m.arena.bytes = p->arena_bytes;
    snprintf(path, sizeof path, "%s/weights/checkpoint", folder);
    snprintf(notes, sizeof notes,
             "\"format\":\"snug-checkpoint 1\",\"optimizer\":\"%s\","
             "\"model_hash\":\"%016llx\",\"step\":\"3\",\"steps\":\"9\","
             "\"epoch\":\"0\",\"position\":\"3\",\"rows\":\"9\","
             "\"batch\":\"8\",\"seed\":\"1\",\"shuffle\":\"0\","
             "\"rate\":\"0.1\",\"schedule\":\"constant\"",
             p->optimizer, (unsigned long long)p->model_hash);
    if (!m.arena.base || rt_image_make(&image, &r, p, 7) ||
        rt_image_write(&image, &m, &output, path, notes))
        exit(1);
    copy_data(folder, "data/safetensors", 's', path);
    rt_region_drop(&r);
    free(m.arena.base);
}

int
main(int argc, char **argv)
{
    int count = 0;

    if (argc < 2)
        return 2;
    for (int i = 2; i < argc; i++)
        take_models(argv[1], argv[i], &count);
    write_arrays(argv[1]);
    write_table(argv[1]);
    write_words(argv[1]);
    write_checkpoint(argv[1]);
    return 0;
}
