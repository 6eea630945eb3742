/* rewrite_test: every rule that ships is tried on graphs made from its own
   pattern: the interpreter and the gradients say the same before and after. A
   rule, or one of the ways of a rule, that never matches fails. Text that is
   no rule is refused, whatever it is. */
#include "tests/rewrite_test_instance.h"

#include "ir/base/embedded.h"
#include "ir/eval.h"
#include "ir/philox.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/pipeline.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 4000, ENOUGH = 40 };

/* -- running ------------------------------------------------------------- */

static int
apply(Instance *x, const RewriteRule *rule)
{
    RewriteRule *one = NULL;
    Arena *scratch = arena_new();
    int fired;

    vec_push(scratch, one, *rule);
    fired = rewrite_graph(x->graph, scratch, one);
    arena_free(scratch);
    cr_assert(verify_module(x->module), "%s: not well-formed", rule->name);
    return fired;
}

static Tensor *
run(Instance *x)
{
    Tensor *out = NEWN(x->arena, Tensor, vec_len(x->graph->output));
    Stores stores;

    cr_assert(eval_init_stores(x->arena, x->module, &stores));
    eval_graph(x->arena, x->graph, &stores, NULL, out);
    return out;
}

static bool
near(double x, double y, double within)
{
    if (isnan(x) || isnan(y))
        return isnan(x) && isnan(y);
    if (within < 0)
        return memcmp(&x, &y, sizeof x) == 0;
    return x == y || fabs(x - y) <= within * fmax(1, fabs(x));
}

static void
compare(const RewriteRule *rule, uint64_t seed, const char *what,
        const Tensor *x, const Tensor *y, double within)
{
    cr_assert(type_equal(&x->type, &y->type));
    for (int64_t i = 0; i < type_elements(&x->type); i++)
        cr_assert(near(tensor_get(x, i), tensor_get(y, i), within),
                  "%s, seed %d: %s[%d] was %.17g, is %.17g", rule->name,
                  (int)seed, what, (int)i, tensor_get(x, i), tensor_get(y, i));
}

/* -- gradients ----------------------------------------------------------- */

/* The loss: the sum of the result times numbers. */
static void
add_loss(Instance *x)
{
    Graph *g = x->graph;
    Builder b = {.g = g, .phase = 'f'};
    ValueId y = g->output[0], w;
    Type t = value_at(g, y)->type;
    Store s = {.type = t, .kind = SK_CONST, .init.kind = INIT_RANDOM};
    int64_t axes[MAXRANK];

    for (int i = 0; i < t.rank; i++)
        axes[i] = i;
    s.name = sym(x->module->syms, "weights");
    s.init.fill = 1;
    w = graph_store(g, module_add_store(x->module, s));
    y = build_map2(&b, OP_mul, y, w, NULL);
    if (t.rank)
        y = build_reduce(&b, "sum", y, t.rank, axes, NULL);
    g->output[0] = build_view(&b, y, 0, NULL, "loss");
}

static bool
has_parameters(const Instance *x)
{
    for (size_t i = 1; i < vec_len(x->module->store); i++)
        if (x->module->store[i].kind == SK_PARAM)
            return true;
    return false;
}

static void
differentiate(Instance *x)
{
    PipelineOptions o = {.machine = machine_named("x86-64-v3")};

    pipeline_run(x->module, "grad", &o);
}

/* In f64 both say the same: nothing rounds enough to tell. */
static void
check_gradient(const RewriteRule *rule, uint64_t seed)
{
    Instance x = instance_make(rule, seed, DT_F64);
    Tensor *before, *after;
    Instance y;

    cr_assert_null(x.problem);
    if (!has_parameters(&x)) {
        instance_free(&x);
        return;
    }
    add_loss(&x);
    differentiate(&x);
    before = run(&x);
    y = instance_make(rule, seed, DT_F64);
    add_loss(&y);
    apply(&y, rule);
    differentiate(&y);
    after = run(&y);
    cr_assert_eq(vec_len(x.graph->output), vec_len(y.graph->output));
    for (size_t i = 0; i < vec_len(x.graph->output); i++)
        compare(rule, seed, i ? "gradient" : "loss", &before[i], &after[i],
                1e-8);
    instance_free(&x);
    instance_free(&y);
}

/* -- every rule ---------------------------------------------------------- */

/* True if the rule matched its own pattern with this seed. */
static bool
try_seed(const RewriteRule *rule, uint64_t seed, int *arms)
{
    Instance x = instance_make(rule, seed, DT_F32);
    bool fired;
    Tensor *before, *after;

    if (x.problem) {
        instance_free(&x);
        return false;
    }
    before = run(&x);
    fired = apply(&x, rule) > 0;
    after = run(&x);
    compare(rule, seed, "result", before, after, rule->within);
    for (size_t t = 1; fired && t < vec_len(rule->term); t++)
        arms[t] |= x.arm[t];
    instance_free(&x);
    if (fired)
        check_gradient(rule, seed);
    return fired;
}

static bool
all_arms(const RewriteRule *rule, const int *arms, uint32_t *missing)
{
    for (uint32_t t = 1; t < rule->terms; t++) {
        *missing = t;
        if (rule->term[t].kind == RT_EITHER && arms[t] != 3)
            return false;
    }
    return true;
}

static void
check_rule(const RewriteRule *rule)
{
    int *arms = calloc(vec_len(rule->term), sizeof *arms), times = 0;
    uint32_t missing = 0;

    for (uint64_t seed = 0;
         seed < SEEDS && (times < ENOUGH || !all_arms(rule, arms, &missing));
         seed++)
        times += try_seed(rule, seed, arms);
    cr_assert(times >= 5, "%s matched %d times", rule->name, times);
    cr_assert(all_arms(rule, arms, &missing),
              "%s: one way of its term %u never matched", rule->name, missing);
    free(arms);
}

static RewriteRule *
shipped(Arena *a)
{
    return rewrite_builtin(a, syms_new(a), NULL);
}

static void
check_rules(size_t part, size_t parts)
{
    Arena *a = arena_new();
    RewriteRule *rules = shipped(a);
    Guard guard;

    if (guarded(&guard)) {
        for (size_t i = part; i < vec_len(rules); i += parts)
            check_rule(&rules[i]);
        cr_assert_eq(complaints(), 0);
        guard_leave(&guard);
    } else {
        cr_assert(false, "%s", diag_text(&guard));
    }
    arena_free(a);
}

Test(rewrite, every_rule_keeps_results_and_gradients)
{
    check_rules(0, 1);
}

/* -- text that is no rule ------------------------------------------------ */

/* What is complained about a text of rules; NULL: nothing. */
static char *
problems(const char *text)
{
    static Guard guard;
    Arena *a = arena_new();
    RewriteRule *rules = NULL;
    char *said = NULL;

    if (guarded(&guard)) {
        rewrite_parse(a, syms_new(a), text, "own.rw", &rules);
        said = guard.count ? diag_text(&guard) : NULL;
        guard_leave(&guard);
    } else {
        said = diag_text(&guard);
        diag_free(&guard);
    }
    arena_free(a);
    return said;
}

static void
refused(const char *text, const char *words)
{
    char *said = problems(text);

    cr_assert_not_null(said, "taken: %s", text);
    cr_assert(strstr(said, words), "%s\nin: %s", said, text);
    free(said);
}

Test(rewrite, problems_are_told_with_their_lines)
{
    refused("rule a: neg %x",
            "own.rw:1: expected the end of the line, found the end");
    refused("\nrule a: nag (neg %x) => %x", "own.rw:2: there is no op 'nag'");
    refused("rule a: neg %x %y => %x", "expected the end of the line");
    refused("rule a: neg %x => %y", "there is no %y");
    refused("rule a: neg %x => neg $s", "expected a %value");
    refused("rule a: neg %x => map %x \"a*$s\"", "$s stands for nothing");
    refused("rule a: map %x \"a*(\" => %x", "formula");
    refused("rule a: transpose %x perm=$p => transpose %x perm=$q",
            "$q stands for nothing yet");
    refused("rule a: transpose %x perm=$p => transpose %x", "attribute perm");
    refused("rule a: transpose %x parm=$p => %x", "no attribute 'parm'");
    refused("rule a: transpose %x perm=$p where $p > 1 => %x", "a number");
    refused("rule a: neg %x where dimm(%x,1) == 1 => %x", "did you mean 'dim'");
    refused("rule a: neg %x where dim(%x) == 1 => %x", "expected ','");
    refused("rule a: neg %x, %y => %x", "takes 1 operands, not 2");
    refused("rule a: %x => %x", "the last line of a pattern is a node");
    refused("rule a: neg %x => %x\nrule a: neg %x => %x", "own.rw:2: there is");
    refused("rule a: neg %x where %x : f31[2] => %x", "'f31' is no element");
    refused("rule a: neg %x where %y : f32[2] => %x", "the pattern has no %y");
    refused("rule a: neg %x & => %x", "'&' is not part of the language");
    refused("rule a: map %x \"a => %x", "no end on its line");
    refused("rule a: group %x => %x", "there is no op 'group' for rules");
    refused("neg %x => %x", "expected 'rule'");
}

Test(rewrite, all_problems_are_told_at_once)
{
    char *said = problems("rule a: nag %x => %x\n# well\n"
                          "rule b: neg %x => %y\nrule c: neg %x => neg %x\n"
                          "rule d: neg %x =>\n");

    cr_assert(strstr(said, "own.rw:1:") && strstr(said, "own.rw:3:"), "%s",
              said);
    cr_assert(strstr(said, "rule d has no replacement"), "%s", said);
    cr_assert(!strstr(said, "own.rw:4:"), "%s", said);
    free(said);
}

static char *
repeated(const char *text, size_t times)
{
    char *s = calloc(times * strlen(text) + 1, 1);

    for (size_t i = 0; i < times; i++)
        memcpy(s + i * strlen(text), text, strlen(text));
    return s;
}

/* `before`, `middle` many times, `after`. */
static void
refused_long(const char *before, const char *middle, const char *after)
{
    char *many = repeated(middle, 100000), *text, *said;
    size_t size = strlen(before) + strlen(many) + strlen(after) + 1;

    text = malloc(size);
    snprintf(text, size, "%s%s%s", before, many, after);
    said = problems(text);
    cr_assert_not_null(said);
    free(said);
    free(text);
    free(many);
}

Test(rewrite, deep_and_long_texts_are_refused)
{
    refused_long("rule a: neg ", "(neg ", "%x => %x");
    refused_long("rule a: neg ", "(", "%x => %x");
    refused_long("rule a: neg (%x", " or %x", ") => %x");
    refused_long("rule a: neg %x where ", "(", "1 => %x");
    refused_long("rule a: neg %x where ", "[", "1 => %x");
    refused_long("rule a: neg %x where ", "- ", "1 => %x");
    refused_long("rule a: neg %x where 1", "+1", " => %x");
    refused_long("rule a: neg %x => ", "neg (", "%x");
    refused_long("rule a: neg %x\n", "neg %x\n", "=> %x");
}

/* Bytes of the shipped rules, changed at random: taken or refused. */
Test(rewrite, changed_rules_do_no_harm)
{
    static const char bytes[] = " \n%$()[]=>:,;.\"#-+0129aborxyz";

    for (const Embedded *e = embedded_rewrites; e->name; e++)
        for (uint64_t seed = 0; seed < 400; seed++) {
            char *text = strdup(e->text), *said;
            size_t n = strlen(text);

            for (uint64_t i = 0; i < 3; i++) {
                double u = philox_uniform(seed, 2 * i);
                double v = philox_uniform(seed, 2 * i + 1);

                text[(size_t)(u * (double)n)] =
                    bytes[(size_t)(v * (double)(sizeof bytes - 1))];
            }
            said = problems(text);
            free(said);
            free(text);
        }
}
