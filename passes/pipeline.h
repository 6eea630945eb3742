/* pipeline: runs passes named by a string: "fold,cse,place{nodes=100}". */
#ifndef SNUG_PIPELINE_H
#define SNUG_PIPELINE_H

#include <stdio.h>

#include "passes/clock.h"
#include "passes/pass.h"

typedef struct PipelineOptions {
    const Machine *machine;
    int64_t budget;          /* --memory, 0: none */
    const char *print_after; /* comma list of passes, or "all"; NULL: none */
    const char *stop_after;  /* a pass; NULL: run all */
    bool time_passes, no_verify_each;
    bool trial;              /* only to see whether it fits */
    const char *const *set;  /* "PASS.OPTION=V", NULL-terminated; may be NULL */
    FILE *out;               /* where print_after goes; NULL: stderr */
} PipelineOptions;

/* `text` is a preset's name or a list of passes. Unknown names and options are
   raised with the nearest that exists. Verifies after every pass. */
void pipeline_run(Module *m, const char *text, const PipelineOptions *o);

/* The text of a preset; NULL: there is none of this name. */
const char *preset_text(const char *name);

/* "64MiB", "1.5G", "512k", "1000" -> bytes; false if it is none. */
bool parse_bytes(const char *text, int64_t *bytes);

#endif
