/* page: a self-contained HTML page of one plan, of several under a slider, or
   of two side by side. */
#ifndef SNUG_PAGE_H
#define SNUG_PAGE_H

#include "frontend/cli/commands.h"
#include "passes/tools/report.h"

typedef struct Page {
    Arena *arena;
    Text *plan;   /* vector: the data of each */
    int chosen;   /* which is shown first */
    bool compare; /* side by side */
} Page;

/* m is placed. label: see report_page. Returns the number of the plan. */
int page_add(Page *p, Module *m, const Machine *machine, const char *label);
/* What --report and --html ask for, of one module; raises if there is no plan
   in it. */
void page_report(const Args *args, Module *m);
/* Raises if the file cannot be written; "-" is the standard output. */
void page_write(const Page *p, const char *path);

#endif
