/* plan_campaign_test: random training steps, what they mean, and plans of
   them. */
#ifndef SNUG_TESTS_PLAN_CAMPAIGN_TEST_H
#define SNUG_TESTS_PLAN_CAMPAIGN_TEST_H

#include "tests/recompute_test.h"

typedef struct CampaignDraws {
    uint64_t state;
} CampaignDraws;

int campaign_draw(CampaignDraws *d, int n); /* 0 .. n-1 */

/* A module of stage model with an entry `forward`. */
const char *campaign_model(Arena *a, CampaignDraws *d);

/* What the step as written makes of inputs and stores. */
typedef struct CampaignMeaning {
    Module *step; /* of stage train */
    const char *text;
    Stores stores;
    Tensor *in, *out;
} CampaignMeaning;

/* NULL, or what differs, of the plan in its arena. */
const char *campaign_difference(Arena *a, const CampaignMeaning *x, Module *m);

typedef struct CampaignMutants {
    int64_t refused; /* by parser, verifier or checker */
    int64_t harmless;
} CampaignMutants;

/* Edits the text of a plan in one place, `count` times over; false: one was
   accepted and does harm, which was told. */
bool campaign_mutate(const CampaignMeaning *x, const char *plan,
                     CampaignDraws *d, int count, CampaignMutants *tally);

#endif
