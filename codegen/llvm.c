/* llvm: LLVM's C API, wrapped once; the only file that makes contexts, target
   machines and pass pipelines. */
#include "codegen/llvm.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <string.h>

#include "ir/base/diag.h"

/* Vectors are explicit in what we emit, so LLVM's vectorizers have nothing to
   find; without them compiling takes half the time. */
static const char pipeline[] =
    "function(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,"
    "simplifycfg,loop-mssa(licm),gvn,instcombine<no-verify-fixpoint>,"
    "simplifycfg,loop-mssa(licm),early-cse,adce)";

static const unsigned whole_function = (unsigned)LLVMAttributeFunctionIndex;

static void
load_targets(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMInitializeAllAsmParsers();
}

static LLVMTargetMachineRef
target_new(const char *triple, const char *cpu, const char *features)
{
    char *own = NULL, *host = NULL, *has = NULL, *error = NULL;
    LLVMTargetRef target;
    LLVMTargetMachineRef made;

    if (!triple)
        triple = own = LLVMGetDefaultTargetTriple();
    if (!strcmp(cpu, "native")) {
        cpu = host = LLVMGetHostCPUName();
        features = has = LLVMGetHostCPUFeatures();
    }
    if (LLVMGetTargetFromTriple(triple, &target, &error))
        internal_error(__FILE__, __LINE__, error);
    made = LLVMCreateTargetMachine(target, triple, cpu, features,
                                   LLVMCodeGenLevelDefault, LLVMRelocPIC,
                                   LLVMCodeModelDefault);
    LLVMDisposeMessage(own);
    LLVMDisposeMessage(host);
    LLVMDisposeMessage(has);
    ASSERT(made);
    return made;
}

static void
make_types(Unit *u)
{
    u->f32 = LLVMFloatTypeInContext(u->context);
    u->f64 = LLVMDoubleTypeInContext(u->context);
    u->i1 = LLVMInt1TypeInContext(u->context);
    u->i8 = LLVMInt8TypeInContext(u->context);
    u->i16 = LLVMInt16TypeInContext(u->context);
    u->i32 = LLVMInt32TypeInContext(u->context);
    u->i64 = LLVMInt64TypeInContext(u->context);
    u->ptr = LLVMPointerTypeInContext(u->context, 0);
    u->void_ = LLVMVoidTypeInContext(u->context);
}

static void
set_flag(Unit *u, const char *name, const char *value)
{
    LLVMMetadataRef text =
        LLVMMDStringInContext2(u->context, value, strlen(value));

    LLVMAddModuleFlag(u->module, LLVMModuleFlagBehaviorError, name,
                      strlen(name), text);
}

Unit *
unit_new(Arena *a, const Machine *m, const char *triple, const char *cpu,
         const char *features, const char *name)
{
    Unit *u = NEW(a, Unit);
    LLVMTargetDataRef layout;
    char *full;

    load_targets();
    u->arena = a;
    u->machine = m;
    u->lanes = 16;
    u->target = target_new(triple, cpu, features);
    u->context = LLVMContextCreate();
    u->module = LLVMModuleCreateWithNameInContext(name, u->context);
    u->b = LLVMCreateBuilderInContext(u->context);
    layout = LLVMCreateTargetDataLayout(u->target);
    LLVMSetModuleDataLayout(u->module, layout);
    LLVMDisposeTargetData(layout);
    full = LLVMGetTargetMachineTriple(u->target);
    LLVMSetTarget(u->module, full);
    if (!strncmp(full, "riscv64", 7)) /* else floats travel as integers */
        set_flag(u, "target-abi", "lp64d");
    LLVMDisposeMessage(full);
    make_types(u);
    return u;
}

void
unit_free(Unit *u)
{
    LLVMDisposeBuilder(u->b);
    LLVMDisposeModule(u->module);
    LLVMContextDispose(u->context);
    LLVMDisposeTargetMachine(u->target);
}

bool
unit_has(Unit *u, const char *feature)
{
    char *all = LLVMGetTargetMachineFeatureString(u->target);
    size_t length = strlen(feature);
    bool has = false;

    for (const char *s = all; *s && !has; s += strcspn(s, ",")) {
        s += *s == ',';
        has = *s == '+' && strcspn(s + 1, ",") == length &&
              strncmp(s + 1, feature, length) == 0;
    }
    LLVMDisposeMessage(all);
    return has;
}

void
unit_optimize(Unit *u)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    char *text = NULL;
    LLVMErrorRef error;

    if (LLVMVerifyModule(u->module, LLVMReturnStatusAction, &text))
        internal_error(__FILE__, __LINE__, text);
    LLVMDisposeMessage(text);
    error = LLVMRunPasses(u->module, pipeline, u->target, options);
    LLVMDisposePassBuilderOptions(options);
    if (error)
        internal_error(__FILE__, __LINE__, LLVMGetErrorMessage(error));
}

void
unit_write(Unit *u, bool assembly, const char *path)
{
    char *error = NULL;
    LLVMCodeGenFileType kind = assembly ? LLVMAssemblyFile : LLVMObjectFile;

    if (LLVMTargetMachineEmitToFile(u->target, u->module, path, kind, &error))
        raise_status(ST_INTERNAL, (Loc){.file = path}, "cannot write: %s",
                     error);
}

void
unit_add_object(Unit *u, Text *object)
{
    LLVMMemoryBufferRef made;
    char *error = NULL;

    if (LLVMTargetMachineEmitToMemoryBuffer(u->target, u->module,
                                            LLVMObjectFile, &error, &made))
        internal_error(__FILE__, __LINE__, error);
    text_add_n(object, LLVMGetBufferStart(made), LLVMGetBufferSize(made));
    LLVMDisposeMemoryBuffer(made);
}

void
unit_add_processor(Text *t, const char *cpu, const char *features)
{
    char *host = LLVMGetHostCPUName(), *has = LLVMGetHostCPUFeatures();
    bool native = strcmp(cpu, "native") == 0;

    text_add(t, "%s %s", native ? host : cpu, native ? has : features);
    LLVMDisposeMessage(host);
    LLVMDisposeMessage(has);
}

LLVMTypeRef
unit_type(Unit *u, DType d)
{
    switch (d) {
    case DT_F64:
        return u->f64;
    case DT_F32:
        return u->f32;
    case DT_NONE:
    case DT_COUNT:
        UNREACHABLE();
    default:
        return LLVMIntTypeInContext(u->context, (unsigned)dtype_bytes(d) * 8);
    }
}

LLVMTypeRef
unit_vector(Unit *u, DType d, int lanes)
{
    LLVMTypeRef t = unit_type(u, d);

    return lanes == 1 || u->threads ? t
                                    : LLVMVectorType(t, (unsigned)lanes);
}

static void
add_attribute(Unit *u, LLVMValueRef f, unsigned where, const char *name,
              uint64_t value)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));

    LLVMAddAttributeAtIndex(f, where,
                            LLVMCreateEnumAttribute(u->context, kind, value));
}

static void
add_text_attribute(Unit *u, LLVMValueRef f, const char *name,
                   const char *value)
{
    LLVMAttributeRef made = LLVMCreateStringAttribute(
        u->context, name, (unsigned)strlen(name), value,
        (unsigned)strlen(value));

    LLVMAddAttributeAtIndex(f, whole_function, made);
}

LLVMValueRef
unit_part(Unit *u, const char *name, int pointers, int integers)
{
    LLVMTypeRef in[16];
    LLVMValueRef f;
    char width[16];

    ASSERT(pointers + integers <= 16);
    for (int i = 0; i < pointers + integers; i++)
        in[i] = i < pointers ? u->ptr : u->i64;
    f = LLVMAddFunction(
        u->module, name,
        LLVMFunctionType(u->void_, in, (unsigned)(pointers + integers), false));
    snprintf(width, sizeof width, "%d", u->machine->vector_bytes * 8);
    LLVMSetLinkage(f, LLVMInternalLinkage);
    add_attribute(u, f, whole_function, "nounwind", 0);
    add_text_attribute(u, f, "prefer-vector-width", width);
    LLVMPositionBuilderAtEnd(
        u->b, LLVMAppendBasicBlockInContext(u->context, f, "entry"));
    return f;
}

void
unit_call(Unit *u, LLVMValueRef part, int count, LLVMValueRef *args)
{
    LLVMBuildCall2(u->b, LLVMGlobalGetValueType(part), part, args,
                   (unsigned)count, "");
}

LLVMValueRef
unit_kernel(Unit *u, const char *name)
{
    LLVMValueRef f = unit_part(u, name, 2, u->threads ? 0 : 3);

    u->shared_bytes = 0;
    add_attribute(u, f, 1, "align", (uint64_t)u->machine->align);
    add_attribute(u, f, 2, "noalias", 0); /* nothing writes the offsets */
    add_attribute(u, f, 2, "readonly", 0);
    return f;
}

/* Runs `at` the beginning of the entry block, behind what was put there. */
static LLVMBasicBlockRef
go_to_entry(Unit *u, LLVMValueRef function)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b);
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(function);
    LLVMValueRef end = LLVMGetBasicBlockTerminator(entry);

    if (end)
        LLVMPositionBuilderBefore(u->b, end);
    else
        LLVMPositionBuilderAtEnd(u->b, entry);
    return here;
}

LLVMValueRef
kernel_pointer(Unit *u, LLVMValueRef kernel, int i)
{
    LLVMBasicBlockRef here = go_to_entry(u, kernel);
    LLVMValueRef slot = address(u, LLVMGetParam(kernel, 1), const_i64(u, i), 8);
    LLVMValueRef offset = load(u, u->i64, slot, 8), p;

    p = address(u, LLVMGetParam(kernel, 0), offset, 1);
    LLVMPositionBuilderAtEnd(u->b, here);
    return p;
}

LLVMValueRef
stack_room(Unit *u, LLVMTypeRef t, int64_t count, unsigned align)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(u->b);
    LLVMBasicBlockRef entry =
        LLVMGetEntryBasicBlock(LLVMGetBasicBlockParent(here));
    LLVMValueRef first = LLVMGetFirstInstruction(entry), room;

    if (first)
        LLVMPositionBuilderBefore(u->b, first);
    else
        LLVMPositionBuilderAtEnd(u->b, entry);
    room = LLVMBuildArrayAlloca(u->b, t, const_i64(u, count), "");
    LLVMSetAlignment(room, align);
    LLVMPositionBuilderAtEnd(u->b, here);
    return room;
}

LLVMBasicBlockRef
block_new(Unit *u, const char *name)
{
    LLVMValueRef f = LLVMGetBasicBlockParent(LLVMGetInsertBlock(u->b));

    return LLVMAppendBasicBlockInContext(u->context, f, name);
}

LLVMValueRef
loop_begin(Unit *u, Loop *l, LLVMValueRef from, LLVMValueRef to, int64_t step,
           int carried, const LLVMValueRef *initial)
{
    LLVMValueRef more;

    ASSERT(carried <= 64);
    *l = (Loop){.to = to, .step = const_i64(u, step), .carried = carried};
    l->before = LLVMGetInsertBlock(u->b);
    l->head = block_new(u, "head");
    l->body = block_new(u, "body");
    l->exit = block_new(u, "exit");
    LLVMBuildBr(u->b, l->head);
    LLVMPositionBuilderAtEnd(u->b, l->head);
    l->i = LLVMBuildPhi(u->b, u->i64, "i");
    LLVMAddIncoming(l->i, &from, &l->before, 1);
    for (int k = 0; k < carried; k++) {
        LLVMValueRef start = initial[k];

        l->phi[k] = LLVMBuildPhi(u->b, LLVMTypeOf(start), "");
        l->next[k] = l->phi[k];
        LLVMAddIncoming(l->phi[k], &start, &l->before, 1);
    }
    more = LLVMBuildICmp(u->b, LLVMIntSLT, l->i, to, "");
    LLVMBuildCondBr(u->b, more, l->body, l->exit);
    LLVMPositionBuilderAtEnd(u->b, l->body);
    return l->i;
}

/* Rounds of an unrolled loop keep their loads in registers at the same time,
   which the many threads of a GPU do not have; its assembler unrolls too. A
   loop's metadata begins with itself, by way of a stand-in. */
static void
keep_rolled(Unit *u, LLVMValueRef branch)
{
    static const char words[] = "llvm.loop.unroll.disable";
    LLVMContextRef c = u->context;
    LLVMMetadataRef own = LLVMTemporaryMDNode(c, NULL, 0), loop;
    LLVMMetadataRef disable = LLVMMDStringInContext2(c, words, strlen(words));
    LLVMMetadataRef part[2] = {own, LLVMMDNodeInContext2(c, &disable, 1)};

    loop = LLVMMDNodeInContext2(c, part, 2);
    LLVMMetadataReplaceAllUsesWith(own, loop);
    LLVMSetMetadata(branch, LLVMGetMDKindIDInContext(c, "llvm.loop", 9),
                    LLVMMetadataAsValue(c, loop));
}

void
loop_end(Unit *u, Loop *l)
{
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(u->b);
    LLVMValueRef next = LLVMBuildNSWAdd(u->b, l->i, l->step, "");
    LLVMValueRef back = LLVMBuildBr(u->b, l->head);

    if (u->threads)
        keep_rolled(u, back);
    LLVMAddIncoming(l->i, &next, &latch, 1);
    for (int k = 0; k < l->carried; k++)
        LLVMAddIncoming(l->phi[k], &l->next[k], &latch, 1);
    LLVMPositionBuilderAtEnd(u->b, l->exit);
}

LLVMValueRef
const_i64(Unit *u, int64_t x)
{
    return LLVMConstInt(u->i64, (unsigned long long)x, true);
}

LLVMValueRef
address(Unit *u, LLVMValueRef pointer, LLVMValueRef index, int64_t bytes)
{
    LLVMValueRef far = index;

    if (bytes != 1)
        far = LLVMBuildNSWMul(u->b, index, const_i64(u, bytes), "");
    return LLVMBuildGEP2(u->b, u->i8, pointer, &far, 1, "");
}

LLVMValueRef
load(Unit *u, LLVMTypeRef t, LLVMValueRef p, unsigned align)
{
    LLVMValueRef v = LLVMBuildLoad2(u->b, t, p, "");

    LLVMSetAlignment(v, align);
    return v;
}

void
store(Unit *u, LLVMValueRef v, LLVMValueRef p, unsigned align)
{
    LLVMSetAlignment(LLVMBuildStore(u->b, v, p), align);
}

void
store_past(Unit *u, LLVMValueRef v, LLVMValueRef p)
{
    static const char name[] = "nontemporal";
    LLVMValueRef made = LLVMBuildStore(u->b, v, p);
    LLVMMetadataRef one =
        LLVMValueAsMetadata(LLVMConstInt(u->i32, 1, false));
    unsigned kind =
        LLVMGetMDKindIDInContext(u->context, name, sizeof name - 1);

    LLVMSetAlignment(made, CACHE_LINE);
    LLVMSetMetadata(
        made, kind,
        LLVMMetadataAsValue(u->context,
                            LLVMMDNodeInContext2(u->context, &one, 1)));
}

void
stores_past_end(Unit *u)
{
    LLVMBuildFence(u->b, LLVMAtomicOrderingSequentiallyConsistent, false, "");
}

LLVMValueRef
least(Unit *u, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef less = LLVMBuildICmp(u->b, LLVMIntSLT, a, b, "");

    return LLVMBuildSelect(u->b, less, a, b, "");
}

/* <lanes x i1>: lane < count */
static LLVMValueRef
mask_of(Unit *u, int lanes, LLVMValueRef count)
{
    LLVMValueRef index[64], some;

    ASSERT(lanes <= 64);
    for (int i = 0; i < lanes; i++)
        index[i] = LLVMConstInt(u->i32, (unsigned long long)i, false);
    some = least(u, count, const_i64(u, lanes));
    some = splat(u, LLVMBuildTrunc(u->b, some, u->i32, ""), lanes);
    return LLVMBuildICmp(u->b, LLVMIntSLT,
                         LLVMConstVector(index, (unsigned)lanes), some, "");
}

static LLVMValueRef
call_intrinsic(Unit *u, const char *name, int types, LLVMTypeRef *type,
               int count, LLVMValueRef *args)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef f;

    ASSERT(id);
    f = LLVMGetIntrinsicDeclaration(u->module, id, type, (size_t)types);
    return LLVMBuildCall2(u->b, LLVMGlobalGetValueType(f), f, args,
                          (unsigned)count, "");
}

LLVMValueRef
intrinsic(Unit *u, const char *name, LLVMTypeRef overload, int count,
          LLVMValueRef *args)
{
    return call_intrinsic(u, name, 1, &overload, count, args);
}

LLVMValueRef
load_where(Unit *u, DType d, int lanes, LLVMValueRef p, LLVMValueRef mask)
{
    LLVMTypeRef t = unit_vector(u, d, lanes), type[] = {t, u->ptr};
    LLVMValueRef align =
        LLVMConstInt(u->i32, (unsigned long long)dtype_bytes(d), false);
    LLVMValueRef args[] = {p, align, mask, LLVMConstNull(t)};

    return call_intrinsic(u, "llvm.masked.load", 2, type, 4, args);
}

LLVMValueRef
load_masked(Unit *u, DType d, int lanes, LLVMValueRef p, LLVMValueRef count)
{
    return load_where(u, d, lanes, p, mask_of(u, lanes, count));
}

void
store_masked(Unit *u, DType d, int lanes, LLVMValueRef v, LLVMValueRef p,
             LLVMValueRef count)
{
    LLVMTypeRef type[] = {unit_vector(u, d, lanes), u->ptr};
    LLVMValueRef align =
        LLVMConstInt(u->i32, (unsigned long long)dtype_bytes(d), false);
    LLVMValueRef args[] = {v, p, align, mask_of(u, lanes, count)};

    call_intrinsic(u, "llvm.masked.store", 2, type, 4, args);
}

void
ask_line(Unit *u, LLVMValueRef p)
{
    LLVMValueRef args[] = {p, LLVMConstInt(u->i32, 0, false), /* to read */
                           LLVMConstInt(u->i32, 3, false), /* all caches */
                           LLVMConstInt(u->i32, 1, false)};

    intrinsic(u, "llvm.prefetch", u->ptr, 4, args);
}

void
memory_fence(Unit *u)
{
    LLVMTypeRef t = LLVMFunctionType(u->void_, NULL, 0, false);
    char text[] = "", clobbered[] = "~{memory}";
    LLVMValueRef nothing =
        LLVMGetInlineAsm(t, text, 0, clobbered, sizeof clobbered - 1, true,
                         false, LLVMInlineAsmDialectATT, false);

    LLVMBuildCall2(u->b, t, nothing, NULL, 0, "");
}

LLVMValueRef
splat(Unit *u, LLVMValueRef scalar, int lanes)
{
    LLVMTypeRef t = LLVMVectorType(LLVMTypeOf(scalar), (unsigned)lanes);
    LLVMTypeRef order = LLVMVectorType(u->i32, (unsigned)lanes);
    LLVMValueRef v;

    if (lanes == 1 || u->threads)
        return scalar;
    v = LLVMBuildInsertElement(u->b, LLVMGetPoison(t), scalar,
                               LLVMConstInt(u->i32, 0, false), "");
    return LLVMBuildShuffleVector(u->b, v, LLVMGetPoison(t),
                                  LLVMConstNull(order), "");
}
