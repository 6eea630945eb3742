/* contract_parts: the parts of the contraction generator: register tiles,
   copies of operands, epilogue. Private to contract*.c. */
#ifndef SNUG_CONTRACT_PARTS_H
#define SNUG_CONTRACT_PARTS_H

#include "codegen/kernels/kernels.h"
#include "ir/contraction.h"

/* An operand of the maps or a result, as the epilogue reads or writes it. */
typedef struct Port {
    ValueId value; /* in the graph of the leader */
    DType dtype;
    int class;
    bool uniform; /* one element: loaded once, kept in `scalar` */
    LLVMValueRef base, scalar;
} Port;

typedef struct Maker {
    Unit *u;
    const Graph *g; /* that holds the node */
    const Node *n;
    const char *name;
    const Contraction *c;
    LLVMTypeRef element, vector;
    LLVMValueRef micro[2][2]; /* [rows' tail][lanes' tail]; NULL: not needed */
    LLVMValueRef image[2], pack, transpose;
    LLVMValueRef word_pack[2]; /* of rows, lanes; NULL: in place */
    /* Of the kernel that is being built. */
    Port *in, *out;            /* vectors */
    Port begin;                /* what the sums begin from, if they do */
    LLVMValueRef scratch;      /* NULL: there is none */
    LLVMValueRef own;          /* the worker's or the tile's share of it */
    LLVMValueRef partial;      /* where sums of one part go; NULL: epilogue */
    LLVMValueRef tile, turned; /* room for a register tile on the stack */
} Maker;

/* An offset of blocks: in the operand of a side and in every class. */
typedef struct Spot {
    LLVMValueRef in;     /* elements */
    LLVMValueRef beside; /* in the other side's operand */
    LLVMValueRef *at;   /* a class each, elements */
    LLVMValueRef count; /* of inner indices */
} Spot;

/* void name(ptr ..., i64 ...), internal, builder at its entry. */
LLVMValueRef part_begin(Maker *k, const char *suffix, int pointers,
                        int integers);
void part_call(Maker *k, LLVMValueRef function, int count, LLVMValueRef *args);
LLVMValueRef offset_add(Unit *u, LLVMValueRef sum, LLVMValueRef index,
                        int64_t stride); /* sum may be NULL: 0 */
LLVMValueRef const_index(Unit *u, int64_t x);
bool is_const(LLVMValueRef v, int64_t *x);

/* void f(ptr rows, ptr lanes, ptr sums, ptr result, i64 from, i64 to, i64
   first, i64 last): adds the terms [from, to) of the blocks' sum to a register
   tile; from zero, unless the sum is walked outside and this is not its first
   index, or begins from an operand, then from what stands in sums. They go back
   there, or to the result if it stores them and this is the last index. */
LLVMValueRef make_micro(Maker *k, bool row_tail, bool lane_tail);
bool stores_result(const Contraction *c);
/* Are lanes in a tensor that no cache holds, to be asked for a block ahead? */
bool lanes_are_far(const Contraction *c);
/* ... past the caches, being too large for them and of whole lines. */
bool stores_past(const Contraction *c);
/* Element stride of sum axis i in the lanes' operand or their panel. */
int64_t lane_stride(const Contraction *c, size_t i);

/* void f(ptr source, ptr panel, i64 count, i64 terms) */
LLVMValueRef make_pack(Maker *k);
/* void f(ptr source, ptr copy, i64 band) */
LLVMValueRef make_image(Maker *k, int operand);
/* void f(ptr from, ptr to, i64 from_stride, i64 to_stride), in bytes: a square
   of vectors. */
LLVMValueRef make_transpose(Maker *k);

void ports_open(Maker *k, LLVMValueRef kernel);
/* What the sums of a register tile begin from, into `sums`. */
void emit_tile_begin(Maker *k, LLVMValueRef sums, const Spot *row,
                     const Spot *lane, LLVMValueRef *at);
/* The epilogue of a register tile; at: offsets of the classes. */
void emit_tile_end(Maker *k, LLVMValueRef sums, const Spot *row,
                   const Spot *lane, LLVMValueRef *at);
/* The same for a run of `count` elements along axis x of the result, whose
   sums are those of the parts. */
void emit_sum_run(Maker *k, const Axis *x, LLVMValueRef *at,
                  LLVMValueRef count);

/* ---- contract_frame.c --------------------------------------------------- */

LLVMValueRef quotient(Unit *u, LLVMValueRef x, int64_t by);
LLVMValueRef rest(Unit *u, LLVMValueRef x, int64_t by);
/* The last digit of a number in mixed base; x keeps the others. */
LLVMValueRef digit(Unit *u, LLVMValueRef *x, int64_t base);
LLVMValueRef *zeros(Maker *k); /* a class each */
LLVMValueRef *copy_at(Maker *k, LLVMValueRef *at);
void move_along(Maker *k, const Axis *x, LLVMValueRef index, int64_t step,
                LLVMValueRef *at);
/* Where block number `block` of a side stands. at: is moved. */
Spot spot_of(Maker *k, const Side *s, LLVMValueRef block, LLVMValueRef *at);
LLVMValueRef operand_pointer(Maker *k, LLVMValueRef kernel, int operand);
LLVMValueRef kernel_begin(Maker *k, const char *suffix);
LLVMValueRef own_room(Maker *k, int64_t offset);

/* The tiles' kernel: `emit` makes one, by its number; room: its sums stand on
   the stack. */
typedef void EmitTile(Maker *k, const LLVMValueRef *operand,
                      LLVMValueRef number);
LLVMValueRef make_tiles(Maker *k, bool room, EmitTile *emit);

/* ---- contract.c --------------------------------------------------------- */

/* Calls the register tile that fits the counts. */
void call_micro(Maker *k, const Spot *row, const Spot *lane, int count,
                LLVMValueRef *args);
void chunk_bounds(Maker *k, const Side *s, LLVMValueRef index,
                  LLVMValueRef *from, LLVMValueRef *to);
/* Zeros into the worker's running sums. */
void clear_sums(Maker *k);
/* The tiles of a depthwise product that is read in place. */
LLVMValueRef make_taps(Maker *k);
/* The last phase of a split. */
LLVMValueRef make_sum(Maker *k, int64_t *tiles);

/* ---- products of bf16 and of whole numbers ------------------------------ */

/* What the CPU has for a word. */
typedef enum Dot { DOT_NONE, DOT_BF16, DOT_WORDS, DOT_BYTES } Dot;

/* Rows stand in their panels with the highest bit of each term flipped. */
bool rows_are_flipped(const Maker *k);
/* More terms than a panel holds: the sums wait in scratch. */
bool in_chunks(const Contraction *c);
/* Are all terms taken at once, and the sums stored where they belong? */
bool stores_words(const Contraction *c);
void lower_contract_dot(Maker *k, Lowered *out);
/* void f(ptr source, ptr panel, i64 count, i64 from, i64 to): the terms
   [from, to) of a block of a side, by words. */
LLVMValueRef make_word_pack(Maker *k, const Side *s);
/* void f(ptr rows, ptr lanes, ptr sums, i64 terms, i64 first): adds terms to a
   register tile; to zero if first. sums: where they go, the result's elements
   if it stores words. */
LLVMValueRef make_dot_micro(Maker *k, bool row_tail, bool lane_tail);

#endif
