/* method_tier: `tier class=saved|grad|state|param to=host|disk [min=SIZE]
   [window=N]` as settings of the pass `transfer`, and of the pass `tables`
   where the class is table. */
#include "frontend/cli/method_tier.h"

#include "ir/base/diag.h"
#include "ir/base/str.h"
#include "ir/base/vec.h"

#include <string.h>

typedef struct Words {
    const char *class, *to, *min, *window;
} Words;

static _Noreturn void
refuse(const char *line, const char *why)
{
    raise_status(ST_USAGE, NOWHERE,
                 E(E0105) "--method: tier %s: %s\nthe form is `tier "
                          "class=saved|grad|state|param|table to=host|disk "
                          "[min=SIZE] [window=N]`; min is of saved, grad and "
                          "table, window of state and param",
                 line, why);
}

static bool
is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* KEY=VALUE: the value, if the word is of this key. */
static bool
take(const char *word, const char *key, const char **value)
{
    size_t n = strlen(key);

    if (strncmp(word, key, n) != 0 || word[n] != '=' || !word[n + 1])
        return false;
    *value = word + n + 1;
    return true;
}

static Words
read_words(Arena *a, const char *line)
{
    Words w = {0};
    Text t = text_new(a);

    text_add(&t, "%s", line);
    for (char *save = NULL, *word = strtok_r(t.s, " ", &save); word;
         word = strtok_r(NULL, " ", &save))
        if (!take(word, "class", &w.class) && !take(word, "to", &w.to) &&
            !take(word, "min", &w.min) && !take(word, "window", &w.window))
            refuse(line, "a word is none of its settings");
    if (!w.class || !w.to)
        refuse(line, "class and to are needed");
    if (!is_one_of(w.to, "host", "disk"))
        refuse(line, "to is host or disk");
    return w;
}

static void
add(Arena *a, const char ***set, const char *name, const char *value,
    const char *more)
{
    Text t = text_new(a);

    text_add(&t, "%s=%s%s%s", name, value, more ? "/" : "", more ? more : "");
    vec_push(a, *set, text_str(&t));
}

static void
take_tables(Arena *a, const char *line, const Words *w, const char ***set)
{
    if (w->window)
        refuse(line, "tables stay where they are, so nothing comes ahead");
    add(a, set, "tables.to", w->to, NULL);
    if (w->min)
        add(a, set, "tables.least", w->min, NULL);
}

/* The room is that of --host-memory and --spill, if they are given. */
void
method_tier(Arena *a, const char *line, const char ***set)
{
    Words w = read_words(a, line);
    bool saved = is_one_of(w.class, "saved", "grad");
    bool state = strcmp(w.class, "state") == 0;

    if (strcmp(w.class, "table") == 0) {
        take_tables(a, line, &w, set);
        return;
    }
    if (!saved && !is_one_of(w.class, "state", "param"))
        refuse(line, "class is saved, grad, state, param or table");
    if (saved ? w.window != NULL : w.min != NULL)
        refuse(line, saved ? "when saved values come back is planned"
                           : "stores go whatever their size");
    if (!saved) {
        add(a, set, state ? "transfer.state" : "transfer.param", w.to,
            w.window);
        return;
    }
    add(a, set, strcmp(w.to, "host") == 0 ? "transfer.host" : "transfer.disk",
        "1TiB", NULL);
    if (w.min)
        add(a, set, "transfer.least", w.min, NULL);
}
