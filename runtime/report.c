/* report: what a run needs, where the bytes are, and what it took. */
#include "runtime/run.h"
#include "runtime/weights.h"

#include <stdio.h>

static const char *const kind_name[] = {"param", "state", "const"};

static double
gap_percent(const RtProgram *p)
{
    double bound = (double)p->bound_bytes;
    return bound > 0 ? ((double)p->arena_bytes - bound) / bound * 100 : 0;
}

static int64_t
bytes_of(const RtProgram *p, RtKind kind)
{
    int64_t bytes = 0;
    for (int k = 0; k < p->tensors; k++)
        bytes += p->tensor[k].kind == kind ? p->tensor[k].bytes : 0;
    return bytes;
}

int64_t
rt_tier_bytes(const RtProgram *p, RtTierKind kind)
{
    int64_t bytes = 0;
    for (int k = 0; k < p->tiers; k++)
        bytes += p->tier[k].kind == kind ? p->tier[k].bytes : 0;
    return bytes;
}

/* Where a tier lies: a mapping beside the arena, or a file in a folder. */
static const char *
tier_place(const RtRun *r, const RtTier *t)
{
    const RtOptions *o = r->options;
    return t->kind == RT_TIER_HOST ? "memory beside the arena"
           : o->spill.given        ? o->spill.text
                                   : "the current folder";
}

static void
report_tiers(const RtRun *r)
{
    char size[24];
    for (int k = 0; k < r->program->tiers; k++) {
        const RtTier *t = &r->program->tier[k];
        rt_size_text(size, t->bytes);
        printf("%s: %lld bytes (%s) in %s, planned for %.3g MB/s in and %.3g "
               "MB/s out\n",
               t->name, (long long)t->bytes, size, tier_place(r, t),
               t->read_rate * 1e-6, t->write_rate * 1e-6);
    }
}

double
rt_run_predicted(const RtRun *r)
{
    const RtProgram *p = r->program;
    return rt_predicted(p, p->seconds, p->seconds_many,
                        rt_pool_workers(r->model->pool));
}

void
rt_report_needs(const RtRun *r)
{
    const RtProgram *p = r->program;
    char size[24];
    rt_size_text(size, p->arena_bytes);
    printf("memory: arena %lld bytes (%s), bound %lld, gap %.2f %%, %s\n",
           (long long)p->arena_bytes, size, (long long)p->bound_bytes,
           gap_percent(p), p->order_proof);
    report_tiers(r);
    printf("threads: %d of at most %d\n", rt_pool_workers(r->model->pool),
           p->workers);
    if (r->has_train)
        printf("data: %lld rows, %lld batches of %lld an epoch (%lld rows left "
               "out), %lld steps\n",
               (long long)r->at.rows, (long long)r->per_epoch,
               (long long)r->at.batch, (long long)(r->at.rows % r->at.batch),
               (long long)r->at.steps);
    if (r->has_eval)
        printf("eval: %lld rows\n", (long long)r->eval_feed.rows);
    printf("time: %.3g s a step predicted, %.3g s in all\n",
           rt_run_predicted(r), rt_run_predicted(r) * (double)r->at.steps);
    rt_size_text(size, bytes_of(p, RT_PARAM) + bytes_of(p, RT_STATE));
    printf("disk: %s a checkpoint, two are kept and a third while writing\n",
           size);
}

static void
report_ports(const RtProgram *p)
{
    for (int k = 0; k < p->entries; k++) {
        const RtEntry *e = &p->entry[k];
        for (int j = 0; j < e->inputs; j++)
            printf("%-8s %14lld %14lld  %s.%s\n", "input",
                   (long long)e->input[j].offset, (long long)e->input[j].bytes,
                   e->name, e->input[j].name);
        for (int j = 0; j < e->outputs; j++)
            printf("%-8s %14lld %14lld  %s.%s\n", "output",
                   (long long)e->output[j].offset,
                   (long long)e->output[j].bytes, e->name, e->output[j].name);
    }
}

void
rt_report_memory(const RtProgram *p)
{
    int64_t kept = 0;
    printf("%-8s %14s %14s  %s\n", "kind", "offset", "bytes", "name");
    for (int k = 0; k < p->tensors; k++) {
        const RtTensor *t = &p->tensor[k];
        bool out = t->tier >= 0;
        printf("%-8s %14lld %14lld  %s%s%s\n", kind_name[t->kind],
               (long long)t->offset, (long long)t->bytes, t->name,
               out ? " in " : "", out ? p->tier[t->tier].name : "");
        kept += out ? 0 : t->bytes;
    }
    report_ports(p);
    for (int k = 0; k < 3; k++)
        printf("%-8s %14s %14lld  in all\n", kind_name[k], "",
               (long long)bytes_of(p, (RtKind)k));
    printf("%-8s %14s %14lld  activations, gradients, scratch, batch\n",
           "shared", "", (long long)(p->arena_bytes - kept));
    for (int k = 0; k < p->tiers; k++)
        printf("%-8s %14s %14lld  beside the arena\n", p->tier[k].name, "",
               (long long)p->tier[k].bytes);
    printf("%-8s %14s %14lld  bound %lld, gap %.2f %%, %s\n", "arena", "",
           (long long)p->arena_bytes, (long long)p->bound_bytes, gap_percent(p),
           p->order_proof);
}

/* "; host 12.0 MiB, disk 30.0 MiB; stalled ..." */
static void
note_tiers(const RtRun *r)
{
    char words[200] = "", size[24];
    size_t used = 0;
    for (int k = 0; k < r->program->tiers && used < sizeof words; k++) {
        const RtTier *t = &r->program->tier[k];
        rt_size_text(size, t->bytes);
        used += (size_t)snprintf(words + used, sizeof words - used, "%s%s %s",
                                 k ? ", " : "", t->name, size);
    }
    if (used)
        rt_note("beside the arena: %s; stalled %.2f s on transfers, %.1f %% "
                "of the steps' time",
                words, r->stalled,
                r->seconds > 0 ? r->stalled / r->seconds * 100 : 0);
}

static bool
is_kept(const RtRun *r)
{
    const RtOptions *o = r->options;
    return o->save.given || o->checkpoint.given || o->export_onnx.given;
}

void
rt_report_end(const RtRun *r)
{
    const RtProgram *p = r->program;
    const RtArena *a = &r->model->arena;
    int64_t steps = r->at.step - r->first;
    int64_t measured = rt_arena_touched(a, p->arena_align);
    char arena[24], rss[24];
    rt_size_text(arena, p->arena_bytes);
    rt_size_text(rss, rt_memory_peak());
    if (!rt_arena_whole(a))
        rt_warn("something was written behind the end of the arena");
    rt_note("arena: planned %lld bytes (%s), measured %lld (%lld off); bound "
            "%lld, gap %.2f %% (%s); peak RSS %s",
            (long long)p->arena_bytes, arena, (long long)measured,
            (long long)(p->arena_bytes - measured), (long long)p->bound_bytes,
            gap_percent(p), p->order_proof, rss);
    if (steps > 0)
        rt_note("%lld steps in %.2f s: %.3g ms a step with its data, %.3g ms "
                "predicted, on %d threads",
                (long long)steps, r->seconds, r->seconds / (double)steps * 1e3,
                rt_run_predicted(r) * 1e3, rt_pool_workers(r->model->pool));
    note_tiers(r);
    if (steps > 0 && !is_kept(r) && r->has_train)
        rt_note("the trained weights were not kept: --save, --checkpoint or "
                "--export-onnx would keep them");
}
