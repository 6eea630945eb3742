/* rows: what the files of the row generator share: a group of maps and
   reductions over one space, its ports, and where one point of it lies.

   The axes of the space are collapsed and each has a part: AX_OUTER axes
   number the units of work, AX_LOOP axes (reductions that leave the innermost
   axis out) are run through one after the other, AX_LANE axes are run through
   16 elements at a time. */
#ifndef SNUG_ROWS_H
#define SNUG_ROWS_H

#include "codegen/kernels/kernels.h"
#include "codegen/scalar.h"
#include "codegen/threads.h"

enum {
    LANES = 16,
    SHORT_VECTORS = 4, /* of a row that is kept in registers */
    SIDE_VECTORS = 16, /* most that are made side by side */
    ROW_BLOCK = 4096,
    COLUMN_BLOCK = 256,
    WIDE_MOST = 64 /* lanes of what is costly */
};

typedef enum AxisPart { AX_OUTER, AX_LOOP, AX_LANE } AxisPart;

typedef struct Axis {
    int64_t size;
    AxisPart part;
} Axis;

/* How a port moves along the lane axes. */
typedef enum Reach {
    RE_ONE,   /* the same element everywhere */
    RE_DENSE, /* element i at i */
    RE_RUNS   /* runs of the last axis, strides before it */
} Reach;

/* An operand, a result, or the numbers of an iota (whose "memory" is the
   index itself). */
typedef struct Port {
    Type type;
    bool iota;
    int slot; /* index into the kernel's offsets */
    int64_t stride[MAXRANK]; /* over the collapsed axes, in elements */
    Reach reach;
    bool varies; /* along loop or lane axes */
    bool past;   /* a result that goes past the caches */
    LLVMValueRef pointer;
    LLVMValueRef base; /* elements from pointer to the unit at hand */
    LLVMValueRef loaded; /* what never varies: loaded once */
} Port;

/* SP_COLUMN: reduced over the rows, in a group that reduces rows too. */
typedef enum StepKind {
    SP_PORT, SP_MAP, SP_PASS, SP_REDUCE, SP_COLUMN
} StepKind;

/* A value of the group. */
typedef struct Step {
    StepKind kind;
    Type type;
    int port;       /* SP_PORT, else -1 */
    int member;     /* the node that makes it, else -1 */
    int stage;      /* reductions that lie before it, one behind the other */
    bool varies;
    LLVMValueRef row;                /* of the unit, if it does not vary */
    LLVMValueRef vector[SIDE_VECTORS];
    unsigned epoch[SIDE_VECTORS];    /* when vector[] was made */
    LLVMValueRef kept;               /* row of it on the stack, else NULL */
    int kept_out;                    /* or 1 + the port it is kept in, else 0 */
    int kept_in;                     /* the loop that fills it */
} Step;

typedef struct Member {
    const Node *node;
    Formula *typed; /* SP_MAP */
    int *in, *out;  /* steps */
    int nin, nout;
} Member;

typedef struct Rows {
    Unit *u;
    Arena *arena;
    const Graph *g; /* the body, or the graph of the lone node */
    Loc loc;
    Type space;
    unsigned reduced; /* mask of the space's axes */
    bool innermost;   /* is the innermost axis reduced? */
    bool plain;       /* it is kept, but of size 1: one element after another */
    Axis axis[MAXRANK];
    int axes;
    Port *port;     /* vector */
    Step *step;     /* vector */
    Member *member; /* vector */
    Map *step_of;   /* ValueId -> step */
    struct Out {
        int step, port;
    } *out; /* vector: results that leave */
    int64_t units, length; /* product of outer axes, of lane axes */
    int wide; /* lanes of whole vectors: a multiple of LANES */
    unsigned epoch;
    LLVMValueRef kernel;
    bool past; /* some results go past the caches */
    LLVMValueRef next; /* unit that the first loop is made of ahead */
    struct Sums *sums; /* rows_both.c: where columns are added to, or NULL */
    int width; /* threads that make a unit, where lanes are threads */
} Rows;

/* A point: `count` NULL is a whole vector. */
typedef struct At {
    LLVMValueRef i;     /* flat index along the lane axes */
    LLVMValueRef count; /* elements left, when fewer than LANES may be */
    int chunk;          /* which of the vectors kept in registers */
    int lanes;
    bool alike; /* all groups of a block of threads are at this point */
} At;

/* rows_space.c: the axes, and memory */
void rows_collapse(Rows *r);
void rows_enter_unit(Rows *r, LLVMValueRef unit);
void rows_enter_loop(Rows *r, LLVMValueRef flat, LLVMValueRef *saved);
void rows_leave_loop(Rows *r, LLVMValueRef *saved);
LLVMValueRef rows_load(Rows *r, Port *p, const At *at);
void rows_store(Rows *r, Port *p, LLVMValueRef v, const At *at);
/* Brings the vector `ahead` elements behind into the caches, to be read or
   written. */
void rows_fetch(Rows *r, const Port *p, const At *at, int64_t ahead,
                bool writes);
int64_t rows_size(const Rows *r, AxisPart part);

/* rows_both.c: reductions over the rows beside those of the rows: sums of a
   block of rows wait in scratch, as those of columns do. */
bool rows_have_columns(const Rows *r);
void rows_lower_both(Rows *r, const char *name, int64_t blocks, int scratch,
                     Lowered *out);
void rows_add_columns(Rows *r, const At *at); /* of the row at hand */

/* rows_past.c: large results whose rows are whole lines go past the caches */
void rows_choose_past(Rows *r, const Graph *g, const Node *n);

/* rows_wide.c: several vectors at once where formulas are costly */
bool rows_are_costly(const Rows *r);
void rows_choose_wide(Rows *r);
/* A map of so much arithmetic asks for what it will read. */
void rows_fetch_map(Rows *r, const At *at);

/* rows_value.c: values at a point */
LLVMValueRef rows_value(Rows *r, int step, const At *at);
void rows_make_invariant(Rows *r, int stage); /* what does not vary */
void rows_store_outputs(Rows *r, const At *at, bool varying);

/* rows_keep.c: what one loop over the row makes and a later one reads */
void rows_choose_kept(Rows *r);
void rows_fill_kept(Rows *r, int loop, const At *at);
void rows_read_kept(Rows *r, int loop, const At *at);

/* rows_reduce.c: reductions */
typedef struct Tree {
    LLVMValueRef room;
    LLVMTypeRef type;
    DType dtype;
    char op;      /* + * > < */
    int lanes;
    int64_t size; /* bytes of an entry */
} Tree;

char reduce_letter(const Node *n);
LLVMValueRef reduce_pair(Unit *u, DType d, char op, int lanes, LLVMValueRef a,
                         LLVMValueRef b);
LLVMValueRef reduce_identity(Unit *u, DType d, char op, int lanes);
LLVMValueRef reduce_lanes(Unit *u, DType d, char op, LLVMValueRef v);
/* Lanes [from, from + count) of v. */
LLVMValueRef reduce_part(Unit *u, LLVMValueRef v, int from, int count);
Tree tree_new(Unit *u, DType d, char op, int lanes, int64_t blocks);
void tree_push(Unit *u, const Tree *t, LLVMValueRef block, LLVMValueRef v);
LLVMValueRef tree_end(Unit *u, const Tree *t, int64_t blocks);

/* rows_turns.c: blocks that the groups of a block of threads take in turn */
enum { TURN_SUMS = 16 };
typedef struct Turns {
    int sums;
    DType dtype[TURN_SUMS];
    char op[TURN_SUMS];
    int64_t whole; /* full blocks, then the rest */
    bool rest;
    /* Emits the sums of block number `block`. */
    void (*make)(void *context, LLVMValueRef block, bool rest,
                 LLVMValueRef *sum);
    void *context;
} Turns;
void rows_in_turns(Rows *r, const Turns *t, LLVMValueRef *sum);

/* rows.c: a kernel's beginning, units and end */
void rows_enter_kernel(Rows *r, const char *name);
LLVMValueRef rows_begin_units(Rows *r, Loop *l, int64_t per, int64_t units);
void rows_end_kernel(Rows *r, Loop *l);

/* rows_stage.c, rows_column.c, rows_split.c: what a unit does */
void rows_begin_unit(Rows *r, LLVMValueRef unit);
void rows_run_row(Rows *r);
/* Units [begin, end), the first loop of each beside the last one of the unit
   before: one computes while the other waits. */
bool rows_look_ahead(const Rows *r);
void rows_run_ahead(Rows *r, LLVMValueRef begin, LLVMValueRef end);
/* The first reduction over [from, from + length) of the row, one block. */
LLVMValueRef rows_block_sum(Rows *r, LLVMValueRef from, int64_t length);
/* One block of a row into partial[unit]; the rows' trees behind it. */
void rows_run_part(Rows *r, LLVMValueRef unit, int64_t blocks,
                   LLVMValueRef partial);
void rows_join_parts(Rows *r, LLVMValueRef row, int64_t blocks,
                     LLVMValueRef partial);
/* Sums along the loop axes, `chunk` by chunk of 16 * vectors columns; or block
   by block into partial, and the trees over the blocks behind. */
int rows_column_vectors(const Rows *r);
void rows_run_columns(Rows *r, LLVMValueRef chunk);
void rows_run_column_part(Rows *r, LLVMValueRef unit, LLVMValueRef block,
                          LLVMValueRef chunk, int64_t blocks,
                          LLVMValueRef partial);
/* The same for a piece of so many columns, row by row; 0: they are too few. */
int64_t rows_column_piece(const Rows *r, int64_t blocks);
void rows_run_column_piece(Rows *r, LLVMValueRef unit, LLVMValueRef block,
                           LLVMValueRef piece, int64_t blocks,
                           LLVMValueRef partial);
void rows_join_columns(Rows *r, LLVMValueRef unit, LLVMValueRef chunk,
                       int64_t blocks, LLVMValueRef partial);

#endif
