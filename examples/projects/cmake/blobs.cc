// blobs: trains a compiled model inside a C++ program: the model of
// examples/digits/mlp.legacy.onnx on ten random blobs, in an arena of its own.
#include "libnet.h"

#include <cstdio>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

static void
must(int status)
{
    if (status)
        throw std::runtime_error(rt_message());
}

struct Close {
    void operator()(RtModel *m) const { rt_close(m); }
};

template <class T>
static void
set(RtModel *m, const char *name, const std::vector<T> &from)
{
    must(rt_set(m, "train", name, from.data(),
                static_cast<int64_t>(sizeof(T) * from.size())));
}

static double
train(RtModel *m, double *first)
{
    const int batch = 64, features = 64, classes = 10, steps = 200;
    std::vector<float> pixels(batch * features);
    std::vector<int64_t> labels(batch);
    std::mt19937 random(1);
    double loss = 0;

    for (int step = 0; step < steps; step++) {
        for (int row = 0; row < batch; row++) {
            labels[row] = random() % classes;
            for (int i = 0; i < features; i++)
                pixels[row * features + i] = random() / 4294967296.0f +
                    (i % classes == labels[row] ? 0.5f : 0);
        }
        set(m, "input", pixels);
        set(m, "labels", labels);
        must(rt_step(m, 0.05, &loss));
        if (step == 0)
            *first = loss;
    }
    return loss;
}

int
main()
{
    try {
        RtModel *opened;
        double first = 0;

        must(rt_open(&opened, &snug_program, nullptr, 0, 0));
        std::unique_ptr<RtModel, Close> m(opened);
        must(rt_load(m.get(), NET_WEIGHTS));
        double last = train(m.get(), &first);
        must(rt_save(m.get(), "saved.safetensors"));
        std::printf("loss %.3f, at the end %.3f\n", first, last);
        return last < first / 4 ? 0 : 1;
    } catch (const std::exception &e) {
        std::fprintf(stderr, "blobs: %s\n", e.what());
        return 1;
    }
}
