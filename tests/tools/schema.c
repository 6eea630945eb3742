/* schema SCHEMA.json FILE.json: does the file hold what the schema says? Of
   JSON Schema: type, enum, required, properties, additionalProperties, items,
   minItems, minimum; a word that is not among these is a fault of the schema.
   Prints each fault with its path. */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 20, PATH = 512 };

typedef struct Place {
    char path[PATH];
} Place;

static int faults;

static void
fault(const Place *at, const char *what, const char *word)
{
    if (faults++ < MOST)
        printf("%s: %s %s\n", *at->path ? at->path : "the whole", what, word);
}

static Place
within(const Place *at, const char *key, size_t index)
{
    Place p;

    if (key)
        snprintf(p.path, sizeof p.path, "%.400s.%.80s", at->path, key);
    else
        snprintf(p.path, sizeof p.path, "%.400s[%zu]", at->path, index);
    return p;
}

static bool
is_of(const json_t *x, const char *type)
{
    return strcmp(type, "object") == 0    ? json_is_object(x)
           : strcmp(type, "array") == 0   ? json_is_array(x)
           : strcmp(type, "string") == 0  ? json_is_string(x)
           : strcmp(type, "integer") == 0 ? json_is_integer(x)
           : strcmp(type, "number") == 0  ? json_is_number(x)
           : strcmp(type, "boolean") == 0 ? json_is_boolean(x)
           : strcmp(type, "null") == 0    ? json_is_null(x)
                                          : false;
}

static void
check_type(const json_t *type, const json_t *x, const Place *at)
{
    const json_t *one;
    bool good = json_is_string(type) && is_of(x, json_string_value(type));
    size_t i;

    json_array_foreach(type, i, one)
        good |= is_of(x, json_string_value(one));
    if (!good)
        fault(at, "is not of type", json_is_string(type)
                                        ? json_string_value(type)
                                        : "that is listed");
}

static void
check_enum(const json_t *list, const json_t *x, const Place *at)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
        if (json_equal(one, x))
            return;
    fault(at, "is none of the values that are listed", "");
}

static void
check_required(const json_t *list, const json_t *x, const Place *at)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
        if (json_is_object(x) && !json_object_get(x, json_string_value(one)))
            fault(at, "lacks", json_string_value(one));
}

static void check(const json_t *schema, const json_t *x, const Place *at);

static void
check_members(const json_t *schema, json_t *x, const Place *at)
{
    const json_t *known = json_object_get(schema, "properties");
    const json_t *other = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *member;

    json_object_foreach(x, key, member) {
        const json_t *own = json_object_get(known, key);
        Place inner = within(at, key, 0);

        if (own)
            check(own, member, &inner);
        else if (json_is_false(other))
            fault(&inner, "is not in the schema", "");
        else if (json_is_object(other))
            check(other, member, &inner);
    }
}

static void
check_items(const json_t *rule, const json_t *x, const Place *at)
{
    for (size_t i = 0; i < json_array_size(x); i++) {
        Place inner = within(at, NULL, i);

        check(rule, json_array_get(x, i), &inner);
    }
}

/* Words that check_members reads, or that say nothing of the file. */
static bool
is_silent(const char *word)
{
    static const char *const silent[] = {"$schema", "title", "description",
                                         "additionalProperties", "properties"};

    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        if (strcmp(word, silent[i]) == 0)
            return true;
    return false;
}

static void
check_word(const char *word, const json_t *rule, const json_t *x,
           const Place *at)
{
    if (strcmp(word, "type") == 0)
        check_type(rule, x, at);
    else if (strcmp(word, "enum") == 0)
        check_enum(rule, x, at);
    else if (strcmp(word, "required") == 0)
        check_required(rule, x, at);
    else if (strcmp(word, "minimum") == 0) {
        if (json_is_number(x) &&
            json_number_value(x) < json_number_value(rule))
            fault(at, "is too small", "");
    } else if (strcmp(word, "minItems") == 0) {
        if (json_is_array(x) &&
            json_array_size(x) < (size_t)json_integer_value(rule))
            fault(at, "has too few items", "");
    } else if (strcmp(word, "items") == 0) {
        check_items(rule, x, at);
    } else if (!is_silent(word)) {
        fault(at, "the schema says what is not checked:", word);
    }
}

static void
check(const json_t *schema, const json_t *x, const Place *at)
{
    void *i;

    for (i = json_object_iter((json_t *)(uintptr_t)schema); i;
         i = json_object_iter_next((json_t *)(uintptr_t)schema, i))
        check_word(json_object_iter_key(i), json_object_iter_value(i), x, at);
    if (json_is_object(x))
        check_members(schema, (json_t *)(uintptr_t)x, at);
}

int
main(int argc, char **argv)
{
    json_t *tree[2] = {NULL, NULL};
    Place whole = {{0}};

    if (argc != 3) {
        printf("usage: schema SCHEMA.json FILE.json\n");
        return 2;
    }
    for (int i = 0; i < 2; i++) {
        json_error_t error;

        tree[i] = json_load_file(argv[i + 1], JSON_REJECT_DUPLICATES, &error);
        if (!tree[i]) {
            printf("%s:%d: %s\n", argv[i + 1], error.line, error.text);
            return 2;
        }
    }
    check(tree[0], tree[1], &whole);
    for (int i = 0; i < 2; i++)
        json_decref(tree[i]);
    return faults ? 1 : 0;
}
