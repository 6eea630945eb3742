/* products_shapes: the products of training steps that are measured. */
#ifndef SNUG_BENCH_PRODUCTS_SHAPES_H
#define SNUG_BENCH_PRODUCTS_SHAPES_H

#include <stdbool.h>
#include <stdint.h>

/* C[b,m,n] = A[b,m,k] B[b,k,n], row major; turned: stored as [b,k,m], [b,n,k].
 */
typedef struct ProductShape {
    const char *name;
    int64_t batch, m, n, k;
    bool turned[2];
} ProductShape;

static const ProductShape shapes[] = {
    {"square 2048", 1, 2048, 2048, 2048, {false, false}},
    {"qkv fwd", 1, 512, 2304, 768, {false, false}},
    {"qkv fwd NT", 1, 512, 2304, 768, {false, true}},
    {"qkv dX", 1, 512, 768, 2304, {false, true}},
    {"qkv dX NN", 1, 512, 768, 2304, {false, false}},
    {"qkv dW", 1, 768, 2304, 512, {true, false}},
    {"mlp up fwd", 1, 512, 3072, 768, {false, false}},
    {"mlp up dX", 1, 512, 768, 3072, {false, true}},
    {"mlp up dW", 1, 768, 3072, 512, {true, false}},
    {"mlp down fwd", 1, 512, 768, 3072, {false, false}},
    {"mlp down dX", 1, 512, 3072, 768, {false, true}},
    {"mlp down dW", 1, 3072, 768, 512, {true, false}},
    {"head fwd", 1, 512, 50257, 768, {false, true}},
    {"head dX", 1, 512, 768, 50257, {false, false}},
    {"head dW", 1, 50257, 768, 512, {true, false}},
    {"attention QK", 12, 512, 512, 64, {false, true}},
    {"attention PV", 12, 512, 64, 512, {false, false}},
    {"attention dV", 12, 512, 64, 512, {true, false}},
    {"1024 fwd", 1, 512, 4096, 1024, {false, true}},
    {"1024 dX", 1, 512, 1024, 4096, {false, false}},
    {"1024 dW", 1, 4096, 1024, 512, {true, false}},
    {"64x128x784", 1, 64, 128, 784, {false, false}},
    {"64x128x784 NT", 1, 64, 128, 784, {false, true}},
    {"mlp1 fwd", 1, 64, 256, 64, {false, true}},
    {"mlp2 fwd", 1, 64, 256, 256, {false, true}},
    {"mlp2 dX", 1, 64, 256, 256, {false, false}},
    {"mlp2 dW", 1, 256, 256, 64, {true, false}},
    {"mlp3 fwd", 1, 64, 10, 256, {false, true}},
    {"mlp3 dX", 1, 64, 256, 10, {false, false}},
    {"mlp3 dW", 1, 10, 256, 64, {true, false}},
    {"lenet f1 fwd", 1, 64, 120, 400, {false, true}},
    {"lenet f1 dX", 1, 64, 400, 120, {false, false}},
    {"lenet f1 dW", 1, 120, 400, 64, {true, false}},
    {"lenet f2 fwd", 1, 64, 84, 120, {false, true}},
    {"lenet f3 fwd", 1, 64, 10, 84, {false, true}},
    {"one row NT", 1, 1, 1024, 1024, {false, true}},
    {"one column NN", 1, 1024, 1, 1024, {false, false}},
    {"ten rows NN", 1, 10, 1024, 1024, {false, false}},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

#endif
