/* geometry: strides, pads and dilations, read with every product checked. */
#include "ir/ops/geometry.h"

static bool
lists_fit(const Graph *g, NodeId n)
{
    return needs_list(g, n, "strides", 2, 1, MOST_ATTR) &&
           needs_list(g, n, "pads", 4, 0, MOST_ATTR) &&
           needs_list(g, n, "dilations", 2, 1, MOST_ATTR);
}

bool
geometry_read(const Graph *g, NodeId n, const int64_t in[2],
              const int64_t kernel[2], Geometry *out)
{
    const Node *node = &g->node[n];
    const char *name = op_info(node->op)->name;

    if (!lists_fit(g, n))
        return false;
    for (int i = 0; i < 2; i++) {
        int64_t reach, padded;

        out->in[i] = in[i];
        out->kernel[i] = kernel[i];
        out->stride[i] = node_list(node, "strides")[i];
        out->dilation[i] = node_list(node, "dilations")[i];
        out->before[i] = node_list(node, "pads")[i];
        out->after[i] = node_list(node, "pads")[i + 2];
        padded = geometry_padded(out, i);
        if (kernel[i] < 1)
            return REFUSE(g, n, "%s: a kernel of size 0", name);
        if (__builtin_mul_overflow(kernel[i] - 1, out->dilation[i], &reach) ||
            reach >= padded)
            return REFUSE(g, n,
                          "%s: a kernel of %" PRId64 " in steps of %" PRId64
                          " is larger than the padded input of %" PRId64,
                          name, kernel[i], out->dilation[i], padded);
        out->out[i] = (padded - reach - 1) / out->stride[i] + 1;
    }
    return true;
}

bool
image_type(DType dtype, bool nhwc, int64_t images, int64_t channels,
           const int64_t size[2], Type *out)
{
    int64_t dim[4];

    dim[0] = images;
    dim[image_axis(nhwc, 1)] = channels;
    dim[image_axis(nhwc, 2)] = size[0];
    dim[image_axis(nhwc, 3)] = size[1];
    return type_make(dtype, 4, dim, out);
}

void
copy_lists(Node *to, const Node *from, Arena *a, int count,
           const char *const *names)
{
    for (int i = 0; i < count; i++) {
        const int64_t *list = node_list(from, names[i]);

        node_attr_set(to, names[i])->list =
            list_new(a, (int)vec_len(list), list);
    }
}
