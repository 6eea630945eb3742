/* restart_test: a pipeline that is stopped after each pass, printed, parsed and
   gone on with ends in the same bytes as one that runs through. */
#include "ir/text.h"
#include "passes/pipeline.h"

#include <criterion/criterion.h>
#include <string.h>

static const char *const models[] = {
    "snug 1 stage=model\nmodule \"mlp\"\n"
    "param %w1 : f32[8,6] = random 1 0.3\n"
    "param %b1 : f32[6] = 0\n"
    "param %w2 : f32[3,6] = random 2 0.3\n"
    "const %one : f32[] = 1\n"
    "graph forward {\n"
    "input %x : f32[4,8]\n"
    "f %h = contract %x, %w1 labels=\"mk,kn->mn\" split=1 : f32[4,6]\n"
    "f %hb = add %h, %b1 : f32[4,6]\n"
    "f %r = relu %hb : f32[4,6]\n"
    "f %a = mul %r, %one : f32[4,6]\n"
    "f %unread = exp %a : f32[4,6]\n"
    "f %y = contract %a, %w2 labels=\"mk,nk->mn\" split=1 : f32[4,3]\n"
    "output %y\n}\n",
    "snug 1 stage=model\nmodule \"cnn\"\n"
    "param %\"a kernel\" : f32[3,1,3,3] = random 5 0.5\n"
    "param %b : f32[3,1,1] = 0\n"
    "param %w : f32[12,4] = random 7 0.5\n"
    "graph forward {\n"
    "input %x : f32[2,1,6,6]\n"
    "f %c = conv %x, %\"a kernel\" strides=[1,1] pads=[0,0,0,0] "
    "dilations=[1,1] groups=1 : f32[2,3,4,4]\n"
    "f %cb = add %c, %b : f32[2,3,4,4]\n"
    "f %a = tanh %cb : f32[2,3,4,4]\n"
    "f %p = window %a op=\"max\" kernel=[2,2] strides=[2,2] pads=[0,0,0,0] "
    "dilations=[1,1] count_pad=0 : f32[2,3,2,2]\n"
    "f %v = view %p : f32[2,12]\n"
    "f %loss = contract %v, %w labels=\"mk,kn->mn\" split=1 : f32[2,4]\n"
    "output %loss\n}\n",
};

/* The text of the module after the passes. */
static const char *
run(Arena *a, const char *text, const char *passes, const char *rule)
{
    const char *const set[] = {rule, NULL};
    bool sets = strstr(passes, "optimizer") != NULL;
    PipelineOptions o = {.machine = machine_named("x86-64-v3"),
                         .set = sets ? set : NULL};
    Module *m = parse_module(a, text, "restart_test");

    raise_if_complained();
    pipeline_run(m, passes, &o);
    return print_module(a, m);
}

/* The comma behind the first pass of the list, or its end. */
static const char *
end_of_pass(const char *p)
{
    for (int depth = 0; *p && (*p != ',' || depth); p++)
        depth += (*p == '{') - (*p == '}');
    return p;
}

static void
check(const char *model, const char *passes, const char *rule)
{
    Arena *a = arena_new();
    const char *whole = run(a, model, passes, rule), *text = model;

    for (const char *p = passes; *p;) {
        const char *end = end_of_pass(p);
        Text one = text_new(a);

        text_add_n(&one, p, (size_t)(end - p));
        text = run(a, text, text_str(&one), rule);
        p = *end ? end + 1 : end;
        if (*p)
            cr_assert_str_eq(run(a, text, p, rule), whole,
                             "restarted before %s", p);
    }
    cr_assert_str_eq(text, whole, "restarted after every pass of %s", passes);
    arena_free(a);
}

Test(restart, ends_in_the_same_bytes)
{
    static const char *const rules[] = {"optimizer.rule=adamw",
                                        "optimizer.set=mu=0.5;nesterov=1",
                                        "optimizer.rule=adafactor"};
    Guard guard;

    if (guarded(&guard)) {
        for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
            check(models[i], preset_text("default"), rules[0]);
            check(models[i], preset_text("plain"), rules[0]);
            check(models[i], preset_text("default"), rules[2]);
        }
        check(models[0],
              "fold,loss{kind=mse},grad,optimizer{rule=sgd},cse,dce,fuse",
              rules[1]);
        guard_leave(&guard);
        return;
    }
    diag_print(&guard, stderr);
    cr_assert_fail("problems were raised");
}
