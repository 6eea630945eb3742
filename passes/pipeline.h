/* pipeline: runs passes named by a string: "fold,cse,place{nodes=100}". */
#ifndef SNUG_PIPELINE_H
#define SNUG_PIPELINE_H

#include <stdio.h>

#include "passes/pass.h"

typedef struct PipelineOptions {
    const Machine *machine;
    int64_t budget;          /* --memory, 0: none */
    const char *print_before, *print_after; /* comma list of passes, or "all";
                                               NULL: none */
    const char *print_changed; /* "": whole, "diff": as a diff; NULL: not */
    const char *stop_after;  /* a pass; NULL: run all */
    bool time_passes, no_verify_each;
    bool trial;              /* only to see whether it fits */
    bool statistics;         /* a line a pass: nodes, values, live bytes */
    bool statistics_json;    /* an object a line instead of a table */
    bool print_pipeline;     /* the passes with their options, before them */
    bool bisect;             /* run the first bisect_limit passes only, and */
    int64_t bisect_limit;    /* tell each; below 0: all */
    const char *const *set;  /* "PASS.OPTION=V", NULL-terminated; may be NULL */
    struct PassRow *plugged; /* vector: what plugin_load added */
    const char *crash_folder; /* of crash.snug; NULL: TMPDIR */
    const char *crash_notes; /* lines "# key: value" for it; may be NULL */
    FILE *out;               /* where what is printed goes; NULL: stderr */
} PipelineOptions;

/* `text` is a preset's name or a list of passes. Unknown names and options are
   raised with the nearest that exists. Verifies after every pass. */
void pipeline_run(Module *m, const char *text, const PipelineOptions *o);

/* The text of a preset; NULL: there is none of this name. */
const char *preset_text(const char *name);

/* Is there a pass of this name? For --print-after and its kin. */
bool pipeline_has_pass(const struct PassRow *plugged, const char *name,
                       size_t length);
/* The passes with stages and options, as --list-passes prints them. */
void pipeline_list(FILE *to, const struct PassRow *plugged);

/* "64MiB", "1.5G", "512k" (by 1024), "64MB" (by 1000), "1000" -> bytes; false
   if it is none: *bytes is INT64_MAX then if it is 2^63 or more, else 0. */
bool parse_bytes(const char *text, int64_t *bytes);

/* A clock that never goes back; and what --time-passes prints of a part of the
   work that began then. */
double seconds_now(void);
void tell_seconds(const char *what, double since);

#endif
