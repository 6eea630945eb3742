/* plugin: the interface of passes that live outside of Snug, in a shared
   library that `--load-pass-plugin FILE.so` names. C99 and C++; needs no other
   header, and nothing is linked: all that a pass calls comes in a table.

   The library defines snug_plugin(), which returns what it holds. A pass
   rewrites the module: it walks the graphs of the entries, adds nodes as lines
   of the IR's text, puts values in place of others, drops nodes. The compiler
   checks the stage before, and verifies the module after the pass. */
#ifndef SNUG_PLUGIN_H
#define SNUG_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised by what an older plugin cannot live with; new members of SnugApi come
   at the end without. */
#define SNUG_PLUGIN_VERSION 1

typedef struct SnugRun SnugRun;     /* the pass that runs, and its module */
typedef struct SnugGraph SnugGraph; /* an entry or the body of a node */
typedef uint32_t SnugNode, SnugValue; /* 0: none; valid in the run */

/* Texts that are handed out live until the pass returns. Indices count from 0;
   those that are out of range are a fault of the plugin, status 4. */
typedef struct SnugApi {
    uint32_t version, size; /* SNUG_PLUGIN_VERSION, sizeof (SnugApi) */

    /* The run. An option as its text; those that are not in the row: a fault.
       log is seen with --log=NAME of the pass; fail complains of a node (0: of
       none): the input is at fault, status 1, when the pass returns. */
    const char *(*option)(SnugRun *, const char *name);
    void (*log)(SnugRun *, const char *words);
    void (*fail)(SnugRun *, SnugGraph *, SnugNode, const char *words);
    const char *(*text)(SnugRun *); /* the module as it is now */
    size_t (*entries)(SnugRun *);
    SnugGraph *(*entry)(SnugRun *, size_t i);

    /* A graph: its name, its nodes in order, what it hands out. */
    const char *(*graph_name)(SnugGraph *);
    size_t (*nodes)(SnugGraph *);
    SnugNode (*node)(SnugGraph *, size_t i);
    size_t (*outputs)(SnugGraph *);
    SnugValue (*output)(SnugGraph *, size_t i);

    /* A node. The attribute's text as the IR prints it, NULL: it has none of
       this name; the body NULL: it has none. */
    const char *(*op)(SnugGraph *, SnugNode);
    char (*phase)(SnugGraph *, SnugNode);
    size_t (*operands)(SnugGraph *, SnugNode);
    SnugValue (*operand)(SnugGraph *, SnugNode, size_t i);
    size_t (*results)(SnugGraph *, SnugNode);
    SnugValue (*result)(SnugGraph *, SnugNode, size_t i);
    const char *(*attribute)(SnugRun *, SnugGraph *, SnugNode,
                             const char *name);
    SnugGraph *(*body)(SnugGraph *, SnugNode);

    /* A value: its name, its type (f32[32,784]), the node that makes it (0: an
       input or a store), by how many operands and outputs it is read. */
    const char *(*name)(SnugGraph *, SnugValue);
    const char *(*type)(SnugRun *, SnugGraph *, SnugValue);
    SnugNode (*maker)(SnugGraph *, SnugValue);
    size_t (*uses)(SnugGraph *, SnugValue);

    /* Changes. add: a line of the IR, `f %y = neg %x : f32[4]`, before a node
       (0: at the end); its first result. fresh: a name that is not taken yet,
       as the text has it, %name. replace: who reads `from` reads `to`. drop:
       the node goes; nobody may read its results. */
    SnugValue (*add)(SnugRun *, SnugGraph *, SnugNode before, const char *line);
    const char *(*fresh)(SnugRun *, SnugGraph *, const char *name);
    void (*replace)(SnugGraph *, SnugValue from, SnugValue to);
    void (*set_operand)(SnugGraph *, SnugNode, size_t i, SnugValue);
    void (*drop)(SnugGraph *, SnugNode);
} SnugApi;

/* from: the stage that it needs, model, train, order or any; to: the stage that
   it leads to, or same. options: "name:kind=default ..." with kind int, bytes,
   float or text, or "". run returns 0, or another number for a fault of its
   own, status 4. */
typedef struct SnugPass {
    const char *name, *from, *to, *options, *doc;
    int (*run)(SnugRun *, const SnugApi *);
} SnugPass;

typedef struct SnugPlugin {
    uint32_t version; /* SNUG_PLUGIN_VERSION */
    uint32_t passes;
    const SnugPass *pass;
} SnugPlugin;

const SnugPlugin *snug_plugin(void);

#ifdef __cplusplus
}
#endif

#endif
