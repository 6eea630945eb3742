/* pipeline_parts: what the files of the pipeline share: calls of passes, what
   is told between them, the file that an internal error leaves. */
#ifndef SNUG_PIPELINE_PARTS_H
#define SNUG_PIPELINE_PARTS_H

#include "ir/base/str.h"
#include "passes/pipeline.h"

enum { PASS_ANY = -1, PASS_SAME = -1 };

typedef struct PassRow {
    const char *name;
    int from, to; /* stages, or PASS_ANY, PASS_SAME */
    bool keeps_guards;
    const char *options, *doc;
    PassFunction *run;
    const void *plugged; /* of a plugin: its own row */
} PassRow;

extern const PassRow pass_rows[]; /* pass.def, ended by a row without name */

/* A pass with its options, as asked for. */
typedef struct Call {
    const PassRow *row;
    PassOption option[MAX_PASS_OPTIONS];
    bool given[MAX_PASS_OPTIONS];
    int options;
} Call;

/* A plan that was tried and fits, with the calls that are left of it. */
typedef struct Kept {
    const char *text; /* the module */
    Call *call;       /* vector */
    double seconds;   /* predicted, of a step */
} Kept;

typedef struct Pipeline {
    Arena *arena;
    const PassRow *plugged; /* vector: passes of plugins */
    const char *text, *at;  /* being read */
    Call *call;             /* vector */
    Kept *kept;             /* vector, the best last */
    const char *before;     /* of a trial: the module in front of call[0] */
} Pipeline;

/* pipeline_text.c. The row of the pass of this name; raised if there is none,
   with the nearest. */
const PassRow *pipeline_row(const Pipeline *p, const char *name);
void pipeline_read(Pipeline *p, const char *text);
/* PASS.OPTION=V: of every call of the pass. asked: by the user (PassOption). */
void pipeline_set(Pipeline *p, const char *set, bool asked);
/* The calls from `from` on as text that reads back. */
void pipeline_print(Text *t, const Call *call, size_t from);

/* pipeline.c: runs call k, with all that is told of it. */
void pipeline_step(const Pipeline *p, Module *m, const PipelineOptions *o,
                   size_t k);

/* pipeline_choice.c: where call k is `chunk` and leaves the number of parts
   open under a budget, or `recompute` and what transfers will take, sets it. */
void choose_options(Pipeline *p, Module *m, const PipelineOptions *o,
                    size_t k);

/* pipeline_kept.c. Is a plan that was tried faster than the one at hand? */
bool kept_is_faster(const Pipeline *p, Module *m, const PipelineOptions *o);
/* The best that was tried and fits to the end becomes the module; where it fits
   as it is, only if it is faster. false: there is none. */
bool kept_take(const Pipeline *p, Module *m, const PipelineOptions *o,
               bool fits);

/* pipeline_tell.c: what --print-before, -after and -changed ask for. */
void tell_before(const PipelineOptions *o, const char *pass,
                 const char *before);
void tell_after(Arena *a, const PipelineOptions *o, const char *pass,
                const char *before, const Module *m);

/* Layers that were to be cut and could not be: of the plan that is taken, not
   of those that were tried. */
void tell_whole(const Module *m);

/* statistics.c: what --pass-statistics tells. */
typedef struct Statistics {
    size_t nodes, values, stores;
    int64_t live; /* bytes of the largest live set of an entry */
} Statistics;

Statistics statistics_of(Arena *a, Module *m, int64_t align);
void statistics_head(FILE *to);
void statistics_tell(FILE *to, Arena *a, const char *pass, Statistics before,
                     Statistics after);
void statistics_json(FILE *to, const char *pass, Statistics before,
                     Statistics after);

/* crash.c: what is needed to run a pass again that fails by our own fault. */
typedef struct Crash {
    const char *path, *pass;
    Text head;          /* the rest of the pipeline as a comment */
    const char *before; /* the module before the pass */
    const char *told;   /* how to run it again */
} Crash;

/* From here to crash_forget() a signal such as SIGSEGV writes the file and
   ends with status 4. before: the module in front of call k or, if p has
   that, in front of call[0]. */
void crash_expect(Crash *c, const Pipeline *p, size_t k, const char *before,
                  const PipelineOptions *o);
void crash_forget(void);
bool crash_write(const Crash *c); /* true: it is there */

#endif
