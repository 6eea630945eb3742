/* random_test_kinds: makers of the kinds that have kernels of their own. */
#ifndef SNUG_TESTS_RANDOM_KINDS_H
#define SNUG_TESTS_RANDOM_KINDS_H

#include "tests/random_test_maker.h"

bool make_contract(Maker *k, Item x);
bool make_softmax(Maker *k, Item x);
bool make_conv(Maker *k, Item x);
bool make_window(Maker *k, Item x);
bool make_gather(Maker *k, Item x);
bool make_scatter(Maker *k, Item x);
bool make_sort(Maker *k, Item x);
bool make_attention(Maker *k, Item x);

#endif
