/* contraction: how a product or convolution is walked: its axes, register
   tiles, copies of operands and tiles for threads. Planner and code generator
   both ask here, so the scratch that is planned is the scratch that is used.

   Every kind becomes one form. An element of the result has an index in three
   lists of axes (batch, left, right), a term of its sum one in a fourth (sum);
   an address is a sum of index * stride, for convolutions too, once the image
   stands in a copy with its padding ("image"). Lanes of vectors run along one
   of left and right (`lane`), broadcast scalars along the other (`row`). */
#ifndef SNUG_CONTRACTION_H
#define SNUG_CONTRACTION_H

#include "ir/graph.h"
#include "ir/machine.h"
#include "ir/tiling.h"

/* in[]: strides in elements in the two operands (in the image's copy, where
   there is one, but for axes outside of the copy); at[c]: strides in the
   tensors of class c that the epilogue reads or writes; class 0 is the
   result's. */
typedef struct Axis {
    int64_t size, in[2];
    int64_t *at;
} Axis;

/* An operand's copy with zeros around (and, for strided input gradients,
   between) its points; one a worker, made anew for each batch index and each
   index of a sum axis that is walked outside. */
typedef struct Image {
    bool on;
    int64_t channels, height, width; /* of the source */
    int64_t from_channel, from_row, from_column; /* strides there */
    int64_t rows, columns;                       /* of the copy */
    int64_t to_channel, to_row, to_column;       /* strides in it */
    bool run;       /* channels stand side by side; else columns do */
    int64_t images; /* in one copy */
    int64_t from_image, to_image;
    int64_t top, left;               /* where source (0,0) stands; may be < 0 */
    int64_t spread_rows, spread_columns; /* distance of source points */
    int64_t lead; /* element of the copy at which index 0 of all axes stands */
    int64_t step; /* copy rows between two indices of the batch axis `band` */
    int band;     /* -1: none */
    bool by_term; /* bands follow the sum's axis that is walked outside */
} Image;

typedef enum Packing {
    PACK_NONE,   /* vectors are loaded where they stand */
    PACK_SHARED, /* all panels, in a phase of their own */
    PACK_TILE    /* a panel at a time, by the worker that needs it */
} Packing;

/* One side's blocks: `inner` indices of axis[0] times `outer` of axis[1];
   outer > 1 only if inner is the whole axis[0]; outer divides axis[1]. */
typedef struct Side {
    Axis *axis; /* vector: innermost first, at least two (size 1 if need be) */
    int operand;
    int64_t inner, outer;
    int64_t tail; /* of the last inner block; inner: it is whole */
    int64_t inner_blocks, outer_blocks, blocks;
    int64_t chunk, chunks; /* blocks of a tile for threads */
} Side;

typedef enum Walk {
    WALK_LANES, /* the epilogue runs along the lanes */
    WALK_ROWS,  /* along the rows, the tile transposed */
    WALK_POINTS /* point by point */
} Walk;

/* The pixels of one class along rows or columns: result first + i * stride,
   i < count, takes the weight's taps tap_first + t * tap_step, t < taps; they
   meet the image at origin + i * advance + t * delta. */
typedef struct TapRun {
    int64_t first, stride, count;
    int64_t taps, tap_first, tap_step;
    int64_t origin, advance, delta;
} TapRun;

/* Strides of images or weights along (images, channels, rows, columns). */
typedef struct Steps {
    int64_t image, channel, row, column;
} Steps;

/* A depthwise product that reads its image where it stands. */
typedef struct Taps {
    TapRun *rows, *columns;          /* vectors: classes, first to last */
    int64_t from_height, from_width; /* of the image */
    Steps from, other;               /* strides there, and of the other operand
                                        of a weight's gradient */
    int64_t tall, wide;              /* the weight's taps */
    int64_t width;                   /* columns of the result; of a weight's
                                        gradient: of the other operand */
    int64_t block;                   /* columns of a block */
    int64_t blocks, inner, outer;    /* [inner, outer): all taps are inside */
    int64_t chunk, chunks; /* rows of a class that a tile takes; of a weight's
                              gradient: not used, a tile takes them all */
} Taps;

typedef struct Contraction {
    struct Contraction *next; /* for other elements of the result, afterwards */
    const Graph *graph; /* that holds the leader: a body, or the node's */
    const Node *leader;
    bool group; /* there are maps beside the leader */
    DType dtype;   /* of the sums */
    int64_t bytes; /* of an element */
    DType of[2];   /* of the operands */
    int in_word;   /* terms that dot products take at once, from 32 bits; 0:
                      one by one. contraction_dot.c */
    DType packed;  /* those terms, as they stand in panels */
    bool begins;   /* the sums begin from a third operand */
    int classes;
    int *class_of; /* ValueId of `graph` -> class, for what maps read */
    int64_t *start; /* where index 0 of all axes stands, a class each */
    Axis *batch, *sum;
    Image image[2];
    int64_t k, split, part; /* part: terms of each of the split's parts */
    bool outside;           /* sum[0] is walked outside of the blocks */
    int64_t bands;          /* of an image in sum[0] */
    bool product; /* of matrices: a contract, or a convolution without copies
                     whose sum is one axis */
    bool both; /* the lanes' axis runs through the rows' operand, too, which is
                  read as vectors: depthwise convolutions */
    Taps *taps;             /* NULL: not such a one. Of the weight's gradient
                               rows are taps, sum[0] the images */
    bool blocked;           /* sum[0] cuts one axis, its last block is short */

    int lanes; /* of a vector */
    Side row, lane;
    Packing packing; /* of the lane operand */
    Walk walk;
    bool rows_first; /* in a tile, each block of rows meets all lanes at once */
    int64_t vectors; /* of a register tile's row */
    int64_t tiles;   /* 0: the result has no elements */
    int64_t inside;  /* terms of the sum within the blocks */

    /* Scratch, offsets in bytes: shared, then of a worker. */
    int64_t partial; /* split > 1: results of the parts */
    int64_t panels;  /* PACK_SHARED */
    int64_t copy[2], panel, sums;
    Scratch scratch;

    /* in_word: */
    Packing row_packing; /* of the row operand */
    int64_t depth;       /* terms that a panel holds at most */
    int64_t row_panels;  /* scratch: shared, or of a worker */
} Contraction;

/* Of a product or convolution, or a group led by one; of the input gradient of
   a strided convolution, those of the pixels that come first by their places
   modulo the strides. */
Contraction *contraction_new(Arena *a, const Graph *g, NodeId n,
                             const Machine *m);

/* Elements of a register tile's row, and rows with room for transposing. */
int64_t tile_width(const Contraction *c);
int64_t tile_height(const Contraction *c);
int64_t tile_bytes(const Contraction *c); /* of its running sums */
int64_t panel_bytes(const Contraction *c);
int64_t panel_count(const Contraction *c); /* PACK_SHARED */
int64_t axes_size(const Axis *axis, size_t from);

enum {
    BLOCK_TERMS = 256, /* of a sum that is walked in blocks, about */
    BLOCK_ROWS = 1024, /* of a tile of such a sum, about, at most */
    CACHE_WAY = 4096   /* bytes at whose multiples addresses share a set */
};

/* Blocks of the sum (if wanted), panels (if wanted), tiles and scratch, once
   the register tile is chosen; cost: of one batch index. */
void lay_tiles(Arena *a, Contraction *c, bool panels, bool blocks, double cost,
               const Machine *m);
/* Cuts a side's blocks into about `parts` even chunks. */
void side_cut(Side *s, int64_t parts);
void lay_tile_scratch(Contraction *c);
/* Where tap `tap` of a column's class meets the image; false: outside, or
   there is no such column. */
bool tap_source(const Taps *t, int64_t column, int64_t tap, int64_t *source);
/* The second half of contraction_new: choose blocks by a cost model. */
void contraction_choose(Arena *a, Contraction *c, Axis *left, Axis *right,
                        const Machine *m);

/* The same for products of bf16 and of whole numbers. Terms go by words of two
   or four, from the start of each part of a split; a panel holds `word_width`
   rows or lanes of each word. */
void contraction_choose_dot(Arena *a, Contraction *c, Axis *left, Axis *right,
                            const Machine *m);
int64_t word_count(const Contraction *c, int64_t terms);
int64_t word_width(const Contraction *c, const Side *s);
int64_t word_panel_bytes(const Contraction *c, const Side *s, Packing packing);
int64_t word_panel_count(const Contraction *c, const Side *s);
/* Terms of 8 bits, both signed or both not: dot products want one of each. */
bool words_want_flip(const Contraction *c);

#endif
