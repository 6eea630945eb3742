/* chunk: the largest product of an entry and what hangs on it along its rows
   (a head and its loss: logits, their gradient, their loss group) runs for some
   rows after the others, so that no value of all rows is ever there. No sum
   changes its order: the bits are those of the step as written.

   blocks: the same for wide values between two products, as in the MLPs of a
   transformer; the backward pass makes them again, some rows after the others.

   batch: all that each sample goes through by itself, forward and backward, for
   some samples after the others; gradients go on from part to part.

   classes: the gradient of the largest weights, and their update, for some of
   their classes after the others, so that no gradient as large as they are is
   ever there; what they are made of is made again for each part.

   sequence: the whole model for some positions after the others, backward from
   the last to the first: sums over positions come in that order, so these are
   not the bits of the step as written.

   cut: a head and its softmax for some classes after the others, forward and
   backward. Sums over the classes are taken in another order.

   auto asks for nothing by itself: under a budget the pipeline tries several
   numbers of parts and sets the best. */
#include "passes/pass.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ir/facts.h"
#include "ir/tiling_attention.h"
#include "passes/plan/chunk_block.h"
#include "passes/plan/chunk_classes.h"
#include "passes/plan/chunk_column.h"
#include "passes/plan/chunk_cut.h"
#include "passes/plan/chunk_idle.h"
#include "passes/plan/chunk_patch.h"
#include "passes/plan/chunk_sequence.h"
#include "passes/plan/chunk_stream.h"
#include "passes/plan/chunk_write.h"

enum { PARTS_MOST = 4096, ROUND = 8, CLASS_ROUND = 64, CUT_LEAST = 8 };

/* Parts of each kind. */
typedef struct Asked {
    int64_t parts, blocks, classes, batch, cut;
} Asked;

static int64_t
parts_asked(const PassRun *r, const char *option)
{
    const char *text = opt_text(r, option);
    char *end;
    long long parts;

    if (strcmp(text, "auto") == 0)
        return 1;
    errno = 0;
    parts = strtoll(text, &end, 10);
    if (end == text || *end || errno || parts < 1 || parts > PARTS_MOST)
        raise_status(ST_USAGE, NOWHERE,
                     "chunk: %s=%s\nit is auto, or a number from 1 to %d",
                     option, text, PARTS_MOST);
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

/* What a report can read: "ENTRY PARTS ROWS BYTES VALUE;...", the value of the
   samples being the first input. */
static void
note(Text *t, const Graph *g, ValueId v, int64_t parts, int64_t length)
{
    text_add(t, "%s%s %lld %lld %lld %s", t->len ? ";" : "", g->name,
             (long long)parts, (long long)length,
             (long long)type_bytes(&value_at(g, v)->type),
             value_at(g, v)->name);
}

static void
note_region(Text *t, const Region *region, int64_t length)
{
    note(t, region->g, region->samples ? region->g->input[0] : region->seed,
         (region->rows + length - 1) / length, length);
}

static void
cut_region(PassRun *r, const Region *region, int64_t parts, Text *chunks)
{
    int64_t length = region ? part_length(region, parts) : 0;

    if (!region || length >= region->rows)
        return;
    note_region(chunks, region, length);
    chunk_write(r->scratch, region, length);
}

/* What needs nothing twice is cut as it is: the last block, with head and loss
   in between. */
static void
cut_block(PassRun *r, Graph *g, ValueId seed, int64_t parts, Text *chunks)
{
    for (int lead = value_at(g, seed)->type.rank - 1; lead > 0; lead--) {
        Region *back = NULL, *whole = region_of(r->scratch, g, seed, lead,
                                                false);

        if (!whole && !chunk_block_part(r->scratch, g, seed, lead, &back))
            continue;
        if (back) {
            cut_region(r, back, parts, chunks);
            whole = region_of(r->scratch, g, seed, lead, false);
        }
        cut_region(r, whole, parts, chunks);
        return;
    }
}

static void
cut_blocks(PassRun *r, Graph *g, const ValueId *seed, int64_t parts,
           Text *chunks)
{
    for (size_t i = 0; i < vec_len(seed); i++)
        if (facts(g)->position[value_at(g, seed[i])->def] >= 0)
            cut_block(r, g, seed[i], parts, chunks);
}

/* ---- classes ------------------------------------------------------------ */

static void
cut_weight(PassRun *r, const Classes *c, int64_t parts, Text *chunks)
{
    const Value *w = value_at(c->g, c->weight);
    int64_t length = (c->count + parts - 1) / parts;

    if (length > CLASS_ROUND)
        length = (length + CLASS_ROUND - 1) / CLASS_ROUND * CLASS_ROUND;
    if (length >= c->count)
        return;
    text_add(chunks, "%s%s %lld %lld %lld %s.g", chunks->len ? ";" : "",
             c->g->name, (long long)((c->count + length - 1) / length),
             (long long)length, (long long)type_bytes(&w->type), w->name);
    classes_write(r->scratch, c, length);
}

static void
cut_weights(PassRun *r, Graph *g, int64_t parts, Text *chunks)
{
    NodeId *update;
    ValueId *weight;

    classes_weights(r->scratch, g, &update, &weight);
    for (size_t i = 0; i < vec_len(update); i++) {
        Classes *c = classes_of(r->scratch, g, update[i], weight[i]);

        if (c)
            cut_weight(r, c, parts, chunks);
    }
}

/* ---- softmax ------------------------------------------------------------ */

static void
refuse_cut(const PassRun *r, const Graph *g, NodeId id)
{
    if (!r->trial && graph_has_phase(g, 'b'))
        raise_status(ST_INPUT, id ? graph_loc(g, id) : NOWHERE,
                     E(E0600) "chunk: the head of entry %s cannot be run for "
                              "some classes after the others: %s\nleave "
                              "chunk.cut at 1; chunk.parts takes some rows "
                              "after the others, with the same bits",
                     g->name,
                     id ? "this reads all of them, and is no map, product, "
                          "sum or maximum over them"
                        : "no product with a weight goes into a softmax");
}

/* false: there is nothing to cut. */
static bool
cut_classes(PassRun *r, Graph *g, int64_t parts, Text *chunks)
{
    NodeId refused;
    Cut *c = cut_find(r->scratch, g, &refused);
    int64_t length = c ? (c->count + parts - 1) / parts : 0;

    if (!c) {
        refuse_cut(r, g, refused);
        return false;
    }
    if (length > CLASS_ROUND)
        length = (length + CLASS_ROUND - 1) / CLASS_ROUND * CLASS_ROUND;
    length = length < CUT_LEAST ? CUT_LEAST : length;
    if (length >= c->count)
        return false;
    cut_updates(c);
    note(chunks, g, c->seed, (c->count + length - 1) / length, length);
    cut_write(r->scratch, c, length);
    module_set(r->m, "chunk_sums", "other");
    return true;
}

/* Does a cut of the head leave no gradient of a weight? */
static bool
cut_takes_updates(PassRun *r, Graph *g)
{
    Cut *c = cut_find(r->scratch, g, NULL);

    if (!c)
        return false;
    cut_updates(c);
    for (ValueId v = 1; v < vec_len(g->value); v++)
        if (c->leaves[v])
            return false;
    return true;
}

/* Weights behind the head where its parts leave gradients: these are made once
   more then. */
static bool
cut_head(PassRun *r, Graph *g, const Asked *n, Text *chunks)
{
    bool late = n->cut > 1 && cut_takes_updates(r, g), cut;

    if (n->classes > 1 && !late)
        cut_weights(r, g, n->classes, chunks);
    cut = n->cut > 1 && cut_classes(r, g, n->cut, chunks);
    if (n->classes > 1 && late)
        cut_weights(r, g, n->classes, chunks);
    return cut;
}

/* ---- samples ------------------------------------------------------------ */

/* Does every sum of parts of so many samples, and what is left, go on as it
   is? */
static bool
keeps_sums(const Region *region, int64_t length, NodeId *torn)
{
    int64_t last = region->rows % length;

    for (size_t k = 0; k < vec_len(region->node); k++) {
        NodeId id = region->node[k];
        int64_t part;

        *torn = id;
        if (node_at(region->g, id)->op == OP_attention_grad &&
            (!attention_keeps_sums(region->g, id, length) ||
             (last && !attention_keeps_sums(region->g, id, last))))
            return false;
        if (region->kind[id] != CHUNK_COLUMNS)
            continue;
        part = length * region_columns_each(region, id);
        if (part % COLUMN_BLOCK && COLUMN_BLOCK % part)
            return false;
    }
    return true;
}

static void
refuse_samples(PassRun *r, const Graph *g, NodeId id, const char *why)
{
    if (!r->trial)
        raise_status(ST_INPUT, id ? graph_loc(g, id) : NOWHERE,
                     E(E0600) "chunk: the batch of entry %s cannot be run "
                              "part after part: %s\nleave chunk.batch at 1; "
                              "--memory and chunk.blocks need no such parts",
                     g->name, why);
}

static void
cut_samples(PassRun *r, Graph *g, int64_t parts, Text *chunks)
{
    NodeId blame, torn = 0;
    Region *region = region_samples(r->scratch, g, &blame);
    int64_t length = region ? (region->rows + parts - 1) / parts : 0;
    const char *idle;

    if (!region) {
        refuse_samples(r, g, blame,
                       blame ? "this takes the samples together, or moves "
                               "them from the first axis"
                             : "it has one sample");
        return;
    }
    idle = chunk_idle_samples(r, region, &blame);
    if (idle)
        refuse_samples(r, g, blame, idle);
    while (length < region->rows && !keeps_sums(region, length, &torn))
        length++;
    if (length == region->rows) {
        refuse_samples(r, g, torn,
                       "this adds up in blocks that parts would tear");
        return;
    }
    note_region(chunks, region, length);
    chunk_write(r->scratch, region, length);
}

/* ------------------------------------------------------------------------ */

/* Layers that cannot be cut are told, as ENTRY VALUE;... */
static void
cut_layers(PassRun *r, Graph *g, int64_t parts, Text *chunks, Text *whole)
{
    ValueId *left;
    StreamCut *cut = chunk_stream(r->scratch, g, parts, &left);

    for (size_t i = 0; i < vec_len(cut); i++)
        note(chunks, g, cut[i].out, cut[i].parts, cut[i].rows);
    for (size_t i = 0; i < vec_len(left); i++)
        text_add(whole, "%s%s %s", whole->len ? ";" : "", g->name,
                 value_at(g, left[i])->name);
}

/* An entry without a backward part stays as it is where it cannot be cut. */
static void
cut_sequence(PassRun *r, Graph *g, int64_t parts, Text *chunks)
{
    double subset = opt_float(r, "subset");
    SequenceCut cut = chunk_sequence(r->scratch, g, parts, subset);

    if (cut.parts)
        note(chunks, g, cut.seed, cut.parts, cut.positions);
    else if (graph_has_phase(g, 'b') && !r->trial)
        raise_status(ST_INPUT, cut.blame ? graph_loc(g, cut.blame) : NOWHERE,
                     E(E0600) "chunk: entry %s cannot be run along the "
                              "sequence: %s\nleave chunk.sequence at 1; "
                              "--memory and chunk.batch need no such parts",
                     g->name, cut.why);
}

/* A part in 2^20 is drawn hardly ever, and counts for more than floats bear. */
static void
check_subset(const PassRun *r, int64_t sequence)
{
    double subset = opt_float(r, "subset"), least = 0x1p-20;

    if (!(subset >= least && subset <= 1))
        raise_status(ST_USAGE, NOWHERE,
                     "chunk: subset=%g\nit is the probability that a part "
                     "goes backward: above 0, at least %g, at most 1",
                     subset, least);
    if (subset < 1 && sequence < 2)
        raise_status(ST_USAGE, NOWHERE,
                     "chunk: subset draws among the parts of a sequence, and "
                     "there is but one\nask for sequence=N too");
}

static void
cut_entry(PassRun *r, Graph *g, const Asked *n, Text *chunks)
{
    ValueId *seed = chunk_block_seeds(r->scratch, g);

    if (!cut_head(r, g, n, chunks) && n->parts > 1)
        cut_region(r, region_find(r->scratch, g), n->parts, chunks);
    if (n->blocks > 1)
        cut_blocks(r, g, seed, n->blocks, chunks);
}

void
pass_chunk(PassRun *r)
{
    Asked n = {parts_asked(r, "parts"), parts_asked(r, "blocks"),
               parts_asked(r, "classes"), parts_asked(r, "batch"),
               parts_asked(r, "cut")};
    int64_t layers = parts_asked(r, "layers");
    int64_t sequence = parts_asked(r, "sequence");
    Text chunks = text_new(r->scratch), whole = text_new(r->scratch);

    if (n.batch > 1 &&
        (n.parts > 1 || n.blocks > 1 || n.classes > 1 || n.cut > 1))
        raise_status(ST_USAGE, NOWHERE,
                     "chunk: parts of a batch are not cut any further\nask for "
                     "batch, or for parts, classes, cut and blocks");
    if (layers > 1 && (n.batch > 1 || n.blocks > 1))
        raise_status(ST_USAGE, NOWHERE,
                     "chunk: layers in parts are not cut any further\nask for "
                     "layers and parts, for blocks and parts, or for batch");
    if (sequence > 1 && (n.batch > 1 || n.blocks > 1 || n.parts > 1 ||
                         n.classes > 1 || n.cut > 1 || layers > 1))
        raise_status(ST_USAGE, NOWHERE,
                     "chunk: a model in parts along the sequence is not cut "
                     "any further\nask for sequence alone");
    check_subset(r, sequence);
    for (size_t i = 0; sequence > 1 && i < vec_len(r->m->entry); i++)
        cut_sequence(r, r->m->entry[i], sequence, &chunks);
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        chunk_patches(r->scratch, r->m->entry[i]);
    for (size_t i = 0; layers > 1 && i < vec_len(r->m->entry); i++)
        cut_layers(r, r->m->entry[i], layers, &chunks, &whole);
    for (size_t i = 0; i < vec_len(r->m->entry); i++)
        if (n.batch > 1)
            cut_samples(r, r->m->entry[i], n.batch, &chunks);
        else
            cut_entry(r, r->m->entry[i], &n, &chunks);
    chunk_idle_refuse(r, text_str(&chunks), text_str(&whole));
    if (chunks.len)
        module_set(r->m, "chunk", text_str(&chunks));
    if (chunks.len && sequence > 1)
        module_set(r->m, "chunk_sums",
                   opt_float(r, "subset") < 1 ? "drawn" : "other");
    if (whole.len)
        module_set(r->m, "chunk_whole", text_str(&whole));
}
