/* convs_shapes: the distinct convolutions of ResNet-50 and MobileNetV2 (224 x
   224, batch 8) and of ResNet-18 (32 x 32, batch 64), square in all. */
#ifndef SNUG_BENCH_CONVS_SHAPES_H
#define SNUG_BENCH_CONVS_SHAPES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ConvShape {
    const char *model;
    int count; /* how often it stands in the model */
    int64_t size, in, out, kernel, stride, groups;
} ConvShape;

enum { MODELS = 3 };

static const struct {
    const char *name;
    int64_t batch;
} models[MODELS] = {{"resnet50", 8}, {"mobilenetv2", 8}, {"resnet18", 64}};

static const ConvShape shapes[] = {
    {"resnet50", 1, 224, 3, 64, 7, 2, 1},
    {"resnet50", 1, 56, 64, 64, 1, 1, 1},
    {"resnet50", 3, 56, 64, 64, 3, 1, 1},
    {"resnet50", 4, 56, 64, 256, 1, 1, 1},
    {"resnet50", 2, 56, 256, 64, 1, 1, 1},
    {"resnet50", 1, 56, 256, 128, 1, 1, 1},
    {"resnet50", 1, 56, 128, 128, 3, 2, 1},
    {"resnet50", 4, 28, 128, 512, 1, 1, 1},
    {"resnet50", 1, 56, 256, 512, 1, 2, 1},
    {"resnet50", 3, 28, 512, 128, 1, 1, 1},
    {"resnet50", 3, 28, 128, 128, 3, 1, 1},
    {"resnet50", 1, 28, 512, 256, 1, 1, 1},
    {"resnet50", 1, 28, 256, 256, 3, 2, 1},
    {"resnet50", 6, 14, 256, 1024, 1, 1, 1},
    {"resnet50", 1, 28, 512, 1024, 1, 2, 1},
    {"resnet50", 5, 14, 1024, 256, 1, 1, 1},
    {"resnet50", 5, 14, 256, 256, 3, 1, 1},
    {"resnet50", 1, 14, 1024, 512, 1, 1, 1},
    {"resnet50", 1, 14, 512, 512, 3, 2, 1},
    {"resnet50", 3, 7, 512, 2048, 1, 1, 1},
    {"resnet50", 1, 14, 1024, 2048, 1, 2, 1},
    {"resnet50", 2, 7, 2048, 512, 1, 1, 1},
    {"resnet50", 2, 7, 512, 512, 3, 1, 1},
    {"mobilenetv2", 1, 224, 3, 32, 3, 2, 1},
    {"mobilenetv2", 1, 112, 32, 32, 3, 1, 32},
    {"mobilenetv2", 1, 112, 32, 16, 1, 1, 1},
    {"mobilenetv2", 1, 112, 16, 96, 1, 1, 1},
    {"mobilenetv2", 1, 112, 96, 96, 3, 2, 96},
    {"mobilenetv2", 1, 56, 96, 24, 1, 1, 1},
    {"mobilenetv2", 2, 56, 24, 144, 1, 1, 1},
    {"mobilenetv2", 1, 56, 144, 144, 3, 1, 144},
    {"mobilenetv2", 1, 56, 144, 24, 1, 1, 1},
    {"mobilenetv2", 1, 56, 144, 144, 3, 2, 144},
    {"mobilenetv2", 1, 28, 144, 32, 1, 1, 1},
    {"mobilenetv2", 3, 28, 32, 192, 1, 1, 1},
    {"mobilenetv2", 2, 28, 192, 192, 3, 1, 192},
    {"mobilenetv2", 2, 28, 192, 32, 1, 1, 1},
    {"mobilenetv2", 1, 28, 192, 192, 3, 2, 192},
    {"mobilenetv2", 1, 14, 192, 64, 1, 1, 1},
    {"mobilenetv2", 4, 14, 64, 384, 1, 1, 1},
    {"mobilenetv2", 4, 14, 384, 384, 3, 1, 384},
    {"mobilenetv2", 3, 14, 384, 64, 1, 1, 1},
    {"mobilenetv2", 1, 14, 384, 96, 1, 1, 1},
    {"mobilenetv2", 3, 14, 96, 576, 1, 1, 1},
    {"mobilenetv2", 2, 14, 576, 576, 3, 1, 576},
    {"mobilenetv2", 2, 14, 576, 96, 1, 1, 1},
    {"mobilenetv2", 1, 14, 576, 576, 3, 2, 576},
    {"mobilenetv2", 1, 7, 576, 160, 1, 1, 1},
    {"mobilenetv2", 3, 7, 160, 960, 1, 1, 1},
    {"mobilenetv2", 3, 7, 960, 960, 3, 1, 960},
    {"mobilenetv2", 2, 7, 960, 160, 1, 1, 1},
    {"mobilenetv2", 1, 7, 960, 320, 1, 1, 1},
    {"mobilenetv2", 1, 7, 320, 1280, 1, 1, 1},
    {"resnet18", 1, 32, 3, 64, 3, 1, 1},
    {"resnet18", 4, 32, 64, 64, 3, 1, 1},
    {"resnet18", 1, 32, 64, 128, 3, 2, 1},
    {"resnet18", 1, 32, 64, 128, 1, 2, 1},
    {"resnet18", 3, 16, 128, 128, 3, 1, 1},
    {"resnet18", 1, 16, 128, 256, 3, 2, 1},
    {"resnet18", 1, 16, 128, 256, 1, 2, 1},
    {"resnet18", 3, 8, 256, 256, 3, 1, 1},
    {"resnet18", 1, 8, 256, 512, 3, 2, 1},
    {"resnet18", 1, 8, 256, 512, 1, 2, 1},
    {"resnet18", 3, 4, 512, 512, 3, 1, 1},
};

#endif
