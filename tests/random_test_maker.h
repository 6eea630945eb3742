/* random_test_maker: what random graphs are written with, node by node. */
#ifndef SNUG_TESTS_RANDOM_MAKER_H
#define SNUG_TESTS_RANDOM_MAKER_H

#include "ir/type.h"
#include "ir/base/str.h"

enum { POOL = 200, LINE = 400 };

typedef struct Item {
    char name[16];
    DType dtype;
    int rank;
    int64_t dim[4];
} Item;

typedef struct Maker {
    uint64_t seed, draws;
    bool smooth; /* one element type, and nothing that grows fast */
    Text head, body;
    Item pool[POOL];
    int count, stores;
    char last[LINE];
    int last_item;
} Maker;

int draw(Maker *k, int n); /* 0 .. n-1 */
void add_type(Text *t, const Item *x);
void add_list(Text *t, const char *key, int n, const int64_t *x);
int64_t elements(const Item *x);
/* Takes the item into the pool; its index. */
int keep(Maker *k, Item x);
/* A node that makes x; `what` is the text between `=` and the type. */
int emit(Maker *k, Item x, const char *what);
int add_store(Maker *k, const char *kind, Item x);
const Item *any(Maker *k);

/* A node of some kind on x; false: none was made. */
bool make_any(Maker *k, Item x);
bool make_map1(Maker *k, Item x);

#endif
