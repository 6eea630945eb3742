/* abi.h: what the compiler writes into an object file and the runtime reads:
   the program, its entries, their steps. Plain constant data; pointers only to
   other constants and to kernels. Included by codegen/ and runtime/. */
#ifndef SNUG_ABI_H
#define SNUG_ABI_H

#include <stdint.h>

#define RT_ABI_VERSION 6

/* Element types: the order of ir/dtype.def, NONE first. ORDER DTYPE */
typedef enum RtType {
    RT_NONE,
    RT_F64,
    RT_F32,
    RT_BF16,
    RT_F16,
    RT_F8E4M3,
    RT_F8E4M3FNUZ,
    RT_F8E5M2,
    RT_F8E5M2FNUZ,
    RT_F8E8M0,
    RT_I64,
    RT_I32,
    RT_I16,
    RT_I8,
    RT_I4,
    RT_I2,
    RT_U64,
    RT_U32,
    RT_U16,
    RT_U8,
    RT_U4,
    RT_U2,
    RT_F4, /* this one and those of 4 and 2 bits: a byte each */
    RT_I1
} RtType;

/* A kernel runs the tiles [begin, end) of one step. offset[] are the places of
   operands, results and scratch in the arena, as the kernel expects them; of a
   table in a tier the bytes from the arena to it.
   worker < program.workers: which share of the scratch is its own. Tiles may
   run in any order and on any worker: the bits do not depend on it. */
typedef void RtKernel(char *arena, const int64_t *offset, int64_t begin,
                      int64_t end, int64_t worker);

typedef enum RtTierKind {
    RT_TIER_HOST, /* a second mapping */
    RT_TIER_FILE
} RtTierKind;

/* Where bytes lie that are not in the arena. */
typedef struct RtTier {
    const char *name; /* of the space in the plan: "host", "disk" */
    RtTierKind kind;
    int64_t bytes;
    double read_rate, write_rate; /* bytes a second that were planned for */
} RtTier;

/* Bytes that go from one tier to another while kernels run. Transfers start in
   the order of the steps and end in that order between two tiers in the same
   direction; between start and wait nobody writes the source and nobody touches
   the target; an entry ends with nothing under way. What begins at a multiple
   of 4096 in a file and of 512 in the arena (or what the disk asks for) goes
   past the page cache and without a copy. */
typedef struct RtMove {
    int32_t ticket; /* < entry.tickets; one transfer at a time has it */
    int32_t wait;   /* 0: start the transfer, 1: wait until it is done */
    int32_t from_tier, to_tier; /* -1: the arena, else of program.tier */
    int64_t from, to, bytes;    /* offsets there */
} RtMove;

/* What a step leaves where it does not run: the bytes at `from`, or zeros. */
typedef struct RtIdle {
    int64_t from, to, bytes; /* offsets in the arena; from -1: zeros */
} RtIdle;

/* A step that does not run in every turn of its entry. */
typedef struct RtGuard {
    int64_t at; /* of an f32 in the arena: the step runs unless it is 0 */
    const RtIdle *idle;
    int32_t idles;
} RtGuard;

/* An operand, or result, of which the kernel touches some rows where they lie
   in a tier. The runtime gives the kernel the way there from the arena. */
typedef struct RtTable {
    int32_t index; /* of step.offset[], which is an offset in the tier */
    int32_t tier;  /* of program.tier */
    int64_t bytes;
} RtTable;

typedef struct RtStep {
    RtKernel *kernel;
    const int64_t *offset;
    int64_t tiles;
    double seconds;      /* predicted, on one worker */
    const char *name;    /* the node, for messages and traces */
    double flops, bytes; /* what it computes and must at least move */
    const char *kind;    /* phase and ops: "b contract+map" */
    const char *sources; /* the source model's nodes that it is made of */
    double seconds_many; /* predicted, on program.many workers */
    int64_t node;        /* in the entry's order: steps of one node share it */
    const RtMove *move;  /* NULL: a kernel; else no kernel and no tiles */
    const RtGuard *guard; /* NULL: it always runs */
    const RtTable *table; /* what does not lie in the arena */
    int32_t tables, offsets; /* how many there are of table[] and offset[] */
} RtStep;

typedef enum RtRole {
    RT_ROLE_DATA,   /* read from the data set, by name */
    RT_ROLE_LABELS, /* the target, `labels` */
    RT_ROLE_LR,     /* f64 scalar: the scheduled learning rate */
    RT_ROLE_STEPS,  /* f64 scalar: planned steps of the run */
    RT_ROLE_WEIGHT, /* f32[batch]: 1 for a sample, 0 for padding */
    RT_ROLE_SEED,   /* i64 scalar: the run's seed, for dropout */
    RT_ROLE_OUTPUT  /* of an entry */
} RtRole;

/* An input or output of an entry. */
typedef struct RtPort {
    const char *name;
    RtRole role;
    RtType type;
    int32_t rank;
    int64_t dim[8]; /* dim[0] is the batch for data, labels and weight */
    int64_t offset, bytes;
} RtPort;

typedef struct RtEntry {
    const char *name; /* train, eval, forward */
    const RtPort *input;
    const RtPort *output;
    const RtStep *step;
    int32_t inputs, outputs, steps;
    int32_t batch;
    int32_t tickets; /* transfers that may be under way at once */
} RtEntry;

typedef enum RtKind { RT_PARAM, RT_STATE, RT_CONST } RtKind;
typedef enum RtInit {
    RT_INIT_FILL, /* every element is `fill` */
    RT_INIT_FILE  /* tensor of this name in the weights file */
} RtInit;

/* A parameter, a state of the optimizer, or a constant tensor. */
typedef struct RtTensor {
    const char *name;
    RtKind kind;
    RtType type;
    int32_t rank;
    int64_t dim[8];
    int64_t offset, bytes;
    RtInit init;
    double fill;
    int32_t tier; /* -1: in the arena, else `offset` is in that tier */
} RtTensor;

/* A piece of the trained model's ONNX file: literal bytes, or (tensor >= 0) the
   content of program.tensor[tensor], raw little-endian. */
typedef struct RtPiece {
    const void *bytes;
    int64_t length;
    int32_t tensor;
} RtPiece;

/* How labels are read and what is counted as correct. */
typedef enum RtLoss {
    RT_LOSS_CROSS_ENTROPY, /* integer labels in [0, classes) */
    RT_LOSS_MSE,
    RT_LOSS_BCE
} RtLoss;

typedef struct RtProgram {
    int32_t version; /* RT_ABI_VERSION */
    int32_t workers; /* most threads; scratch is planned for so many */
    const char *model, *optimizer, *target;
    uint64_t model_hash; /* of names, types, rule: a checkpoint must match it */
    uint64_t plan_hash;  /* of the placed text: told, not required */
    RtLoss loss;
    int64_t classes; /* cross-entropy: number of classes, else 0 */
    double lr;       /* default */
    int64_t arena_bytes, arena_align;
    int64_t bound_bytes; /* no plan of this order and these values is smaller */
    double seconds;      /* predicted, a training step on one worker */
    const char *order_proof; /* e.g. "optimal (down-set search)" */
    const RtTensor *tensor;
    const RtEntry *entry;
    const RtPiece *piece; /* of the ONNX skeleton; pieces = 0: none */
    int32_t tensors, entries, pieces;
    const char *weights; /* default file of weights, beside the program */
    double seconds_many; /* predicted, a training step on `many` workers */
    const RtTier *tier;
    int32_t tiers;
    int32_t many; /* workers of the machine that predictions are for */
} RtProgram;

/* Every object file of the compiler defines this. */
extern const RtProgram snug_program;

#endif
