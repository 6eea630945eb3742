/* plan_campaign_test_mutate: plans with an edit. What the checker lets pass
   must do no harm: in its arena the step makes the same bits, and no more is
   claimed than before. */
#include "ir/check.h"
#include "ir/verify.h"
#include "tests/plan_campaign_test.h"

#include <ctype.h>

typedef struct Edit {
    const char *text; /* of the plan */
    CampaignDraws *d;
    Text out;
} Edit;

/* The place behind one of the occurrences of a word; NULL: there is none. */
static const char *
behind(Edit *e, const char *word)
{
    const char *found = NULL;
    int count = 0;

    for (const char *at = e->text; (at = strstr(at, word)); at++)
        if (campaign_draw(e->d, ++count) == 0)
            found = at;
    return found ? found + strlen(word) : NULL;
}

/* Takes the text with another number at a place. */
static void
put_number(Edit *e, const char *at, int64_t number)
{
    text_add_n(&e->out, e->text, (size_t)(at - e->text));
    text_add(&e->out, "%lld", (long long)number);
    text_add(&e->out, "%s", at + strspn(at, "-0123456789"));
}

static int64_t
another_number(Edit *e, int64_t x)
{
    static const int64_t steps[] = {1, 8, 64, 128, 4096};
    int64_t step = steps[campaign_draw(e->d, 5)];

    switch (campaign_draw(e->d, 5)) {
    case 0: return 0;
    case 1: return x / 2;
    case 2: return campaign_draw(e->d, 50) ? x - step : INT64_MAX;
    case 3: return campaign_draw(e->d, 50) ? x - 64 : INT64_MIN;
    default: return x + step;
    }
}

static bool
edit_number(Edit *e, const char *before)
{
    const char *at = behind(e, before);

    if (!at || (!isdigit((unsigned char)*at) && *at != '-'))
        return false;
    put_number(e, at, another_number(e, strtoll(at, NULL, 10)));
    return true;
}

/* The address of another value. */
static bool
edit_address(Edit *e)
{
    const char *at = behind(e, "@dev+"), *other = behind(e, "@dev+");

    if (!at || !other)
        return false;
    put_number(e, at, strtoll(other, NULL, 10));
    return true;
}

/* A number somewhere in the witness. */
static bool
edit_witness(Edit *e)
{
    const char *at = strstr(e->text, "meta time_witness=\""), *end, *found;
    int count = 0;

    if (!at)
        return false;
    found = end = strchr(at, '\n');
    for (; at < end; at++)
        if (isdigit((unsigned char)*at) && !isdigit((unsigned char)at[-1]) &&
            campaign_draw(e->d, ++count) == 0)
            found = at;
    if (found == end)
        return false;
    put_number(e, found, another_number(e, strtoll(found, NULL, 10)));
    return true;
}

/* Without one ` over %x`, or over another value. */
static bool
edit_over(Edit *e)
{
    const char *at = behind(e, " over %"), *other = behind(e, " = ");

    if (!at)
        return false;
    if (campaign_draw(e->d, 2)) {
        text_add_n(&e->out, e->text, (size_t)(at - e->text) - 7);
    } else {
        other = behind(e, "\nf %");
        if (!other)
            return false;
        text_add_n(&e->out, e->text, (size_t)(at - e->text));
        text_add_n(&e->out, other, strcspn(other, " ,"));
    }
    text_add(&e->out, "%s", at + strcspn(at, " ,\n"));
    return true;
}

/* A node runs later. */
static bool
edit_order(Edit *e)
{
    const char *line = behind(e, "\n"), *end, *to;
    int down = 1 + campaign_draw(e->d, 4);

    if (!strchr("fbur", *line) || line[1] != ' ' || !strchr(line, '\n'))
        return false;
    end = to = strchr(line, '\n') + 1;
    for (int i = 0; i < down && strchr(to, '\n'); i++)
        to = strchr(to, '\n') + 1;
    text_add_n(&e->out, e->text, (size_t)(line - e->text));
    text_add_n(&e->out, end, (size_t)(to - end));
    text_add_n(&e->out, line, (size_t)(end - line));
    text_add(&e->out, "%s", to);
    return true;
}

static bool
edit_phase(Edit *e)
{
    const char *at = behind(e, "\n");

    if (!strchr("fbur", *at) || at[1] != ' ')
        return false;
    text_add_n(&e->out, e->text, (size_t)(at - e->text));
    text_add(&e->out, "%c%s", "fbur"[campaign_draw(e->d, 4)], at + 1);
    return true;
}

static bool
edit(Edit *e)
{
    static const char *const claims[] = {
        "meta peak=\"",       "meta bound=\"",      "meta budget=\"",
        "meta time_bound=\"", "meta order_bound=\""};

    switch (campaign_draw(e->d, 9)) {
    case 0:
    case 1: return edit_number(e, "@dev+");
    case 2: return edit_address(e);
    case 3: return edit_over(e);
    case 4: return edit_order(e);
    case 5: return edit_number(e, claims[campaign_draw(e->d, 5)]);
    case 6: return edit_number(e, campaign_draw(e->d, 2) ? "size=" : "train:");
    case 7: return edit_witness(e);
    default: return edit_phase(e);
    }
}

/* NULL where parser or verifier refuse it. */
static Module *
read_mutant(Arena *a, const char *text)
{
    static Guard guard;
    static Module *m;

    m = NULL;
    if (!guarded(&guard)) {
        diag_free(&guard);
        return NULL;
    }
    m = parse_module(a, text, "mutant.snug");
    raise_if_complained();
    verify_module(m);
    raise_if_complained();
    guard_leave(&guard);
    return m;
}

static int64_t
claim_of(const Module *m, const char *key)
{
    const char *text = module_get(m, key);

    return text ? strtoll(text, NULL, 10) : 0;
}

/* NULL, or the harm that an accepted mutant does. */
static const char *
harm_of(Arena *a, const CampaignMeaning *x, const Module *plan, Module *mutant)
{
    if (!module_entry(mutant, "train"))
        return "no entry train";
    if (claim_of(mutant, "time_bound") > claim_of(plan, "time_bound"))
        return "a bound on time that is larger";
    if (claim_of(mutant, "peak") != mutant->space[0].size)
        return module_get(mutant, "peak") ? "another peak" : NULL;
    return campaign_difference(a, x, mutant);
}

bool
campaign_mutate(const CampaignMeaning *x, const char *plan, CampaignDraws *d,
                int count, CampaignMutants *tally)
{
    for (int i = 0; i < count; i++) {
        Arena *a = arena_new();
        Edit e = {.text = plan, .d = d, .out = text_new(a)};
        Module *m = edit(&e) ? read_mutant(a, text_str(&e.out)) : NULL;
        const char *harm;

        if (!m || m->stage != ST_PLACED || !check_plan(m, NULL)) {
            tally->refused += e.out.len > 0;
            arena_free(a);
            continue;
        }
        harm = harm_of(a, x, read_mutant(a, plan), m);
        tally->harmless++;
        if (harm)
            fprintf(stderr, "%s:\n%s\n---- made of:\n%s\n", harm,
                    text_str(&e.out), plan);
        arena_free(a);
        if (harm)
            return false;
    }
    return true;
}
