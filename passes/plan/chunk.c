/* chunk: the largest product of an entry and what hangs on it along its rows
   (a head and its loss: logits, their gradient, their loss group) runs for some
   rows after the others, so that no value of all rows is ever there. No sum
   changes its order: the bits are those of the step as written.

   parts=auto asks for nothing by itself: under a budget the pipeline tries
   several numbers of parts and sets the best. */
#include "passes/pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "passes/plan/chunk_write.h"

enum { PARTS_MOST = 4096, ROUND = 8 };

static int64_t
parts_asked(const PassRun *r)
{
    const char *text = opt_text(r, "parts");
    char *end;
    long long parts;

    if (strcmp(text, "auto") == 0)
        return 1;
    errno = 0;
    parts = strtoll(text, &end, 10);
    if (end == text || *end || errno || parts < 1 || parts > PARTS_MOST)
        raise_status(ST_USAGE, NOWHERE,
                     "chunk: parts=%s\nit is auto, or a number from 1 to %d",
                     text, PARTS_MOST);
    return parts;
}

/* Rows of a part. Chains of column sums may not be torn: then a power of two,
   of which a block of them is a multiple, or the other way round. */
static int64_t
part_length(const Region *region, int64_t parts)
{
    int64_t length = (region->rows + parts - 1) / parts, power = 1;

    if (region->columns) {
        while (power < length)
            power *= 2;
        return power;
    }
    return length > ROUND ? (length + ROUND - 1) / ROUND * ROUND : length;
}

/* What a report can read: "ENTRY PARTS ROWS VALUE;..." */
static void
note(Text *t, const Region *region, int64_t length)
{
    int64_t parts = (region->rows + length - 1) / length;

    text_add(t, "%s%s %lld %lld %s", t->len ? ";" : "", region->g->name,
             (long long)parts, (long long)length,
             value_at(region->g, region->seed)->name);
}

void
pass_chunk(PassRun *r)
{
    int64_t parts = parts_asked(r), length;
    Text chunks = text_new(r->scratch);

    for (size_t i = 0; parts > 1 && i < vec_len(r->m->entry); i++) {
        Region *region = region_find(r->scratch, r->m->entry[i]);

        length = region ? part_length(region, parts) : 0;
        if (!region || length >= region->rows)
            continue;
        note(&chunks, region, length);
        chunk_write(r->scratch, region, length);
    }
    if (chunks.len)
        module_set(r->m, "chunk", text_str(&chunks));
}
