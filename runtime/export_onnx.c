/* export_onnx: the ONNX file as the compiler prepared it, its holes filled with
   the tensors as they are. */
#include "runtime/run.h"
#include "runtime/status.h"

static int
write_tensor(void *to, const char *from, int64_t bytes)
{
    return rt_output_write(to, from, bytes);
}

static int
write_pieces(const RtModel *m, RtOutput *o)
{
    const RtProgram *p = m->program;
    for (int k = 0; k < p->pieces; k++) {
        const RtPiece *piece = &p->piece[k];
        if (piece->tensor >= p->tensors)
            return rt_fail(RT_ERROR_PROGRAM,
                           "a piece of the ONNX file names "
                           "tensor %d",
                           piece->tensor);
        if (piece->tensor >= 0)
            RT_TRY(
                rt_tensor_pass(m, &p->tensor[piece->tensor], write_tensor, o));
        else
            RT_TRY(rt_output_write(o, piece->bytes, piece->length));
    }
    return RT_OK;
}

int
rt_export_onnx(const RtModel *m, const char *path)
{
    RtOutput o;
    int64_t bytes = 0;
    for (int k = 0; k < m->program->pieces; k++)
        bytes += m->program->piece[k].length;
    RT_TRY(rt_output_open(&o, path, bytes));
    int status = write_pieces(m, &o);
    if (status) {
        rt_output_drop(&o);
        return status;
    }
    return rt_output_commit(&o);
}
