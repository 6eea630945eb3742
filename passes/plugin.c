/* plugin: loads a shared library and looks at all that it says of its passes
   before any of them runs. */
#include "passes/plugin.h"

#include "ir/text.h"
#include "passes/pipeline_parts.h"
#include "passes/plugin_api.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PASSES = 1000, MOST_NAME = 60 };

typedef const SnugPlugin *PluginFunction(void);

static void
close_library(void *library)
{
    dlclose(library);
}

/* A name without a slash would be looked for among the system's libraries. */
static void *
open_library(Arena *a, const char *path)
{
    Text t = text_new(a);
    void *library;

    text_add(&t, "%s%s", strchr(path, '/') ? "" : "./", path);
    library = dlopen(t.s, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        raise_at((Loc){.file = path}, "cannot be loaded: %s", dlerror());
    arena_defer(a, close_library, library);
    return library;
}

static const SnugPlugin *
plugin_of(void *library, const char *path)
{
    PluginFunction *function;
    const SnugPlugin *plugin;

    *(void **)&function = dlsym(library, "snug_plugin");
    if (!function)
        raise_at((Loc){.file = path},
                 "is no plugin of passes: it does not define snug_plugin()");
    plugin = function();
    if (!plugin || plugin->version != SNUG_PLUGIN_VERSION)
        raise_at((Loc){.file = path},
                 "is made for version %u of the plugin interface, this snug "
                 "has version %u\nbuild it anew with this snug's plugin.h",
                 plugin ? plugin->version : 0, SNUG_PLUGIN_VERSION);
    if (plugin->passes > MOST_PASSES || (plugin->passes && !plugin->pass))
        raise_at((Loc){.file = path}, "has %u passes, at most %d are taken",
                 plugin->passes, MOST_PASSES);
    return plugin;
}

static bool
sound_name(const char *name)
{
    size_t n = name ? strlen(name) : 0;

    if (!n || n > MOST_NAME || !islower((unsigned char)*name))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!islower((unsigned char)name[i]) &&
            !isdigit((unsigned char)name[i]) && !strchr("_-", name[i]))
            return false;
    return true;
}

/* model, train, order, placed; or the word that stands for `otherwise`. */
static bool
read_stage(const char *text, const char *word, int otherwise, int *stage)
{
    *stage = otherwise;
    if (!text || strcmp(text, word) == 0)
        return text != NULL;
    for (Stage s = ST_MODEL; s <= ST_PLACED; s++)
        if (strcmp(text, stage_name(s)) == 0) {
            *stage = (int)s;
            return true;
        }
    return false;
}

/* "name:kind=default ...", as in pass.def. */
static bool
sound_options(const char *p)
{
    static const char *const kinds[] = {"int", "bytes", "float", "text"};
    int count = 0;

    for (; p && *p; p += *p == ' ') {
        size_t name = strcspn(p, ":= "), kind;
        bool known = false;

        if (!name || p[name] != ':' || ++count > MAX_PASS_OPTIONS)
            return false;
        p += name + 1;
        kind = strcspn(p, "= ");
        for (int i = 0; i < 4; i++)
            known |= strlen(kinds[i]) == kind && !strncmp(p, kinds[i], kind);
        if (!known || p[kind] != '=')
            return false;
        p += kind + strcspn(p + kind, " ");
    }
    return p != NULL;
}

static void
add_pass(Arena *a, PassRow **plugged, const SnugPass *s, const char *path)
{
    Loc loc = {.file = path};
    PassRow row = {.name = s->name,
                   .options = s->options,
                   .doc = s->doc ? s->doc : "",
                   .run = plugin_run,
                   .plugged = s};

    if (!sound_name(s->name))
        raise_at(loc, "a pass is named by small letters, digits, _ and -, at "
                      "most %d of them", MOST_NAME);
    if (preset_text(s->name) ||
        pipeline_has_pass(*plugged, s->name, strlen(s->name)))
        raise_at(loc, "there is a pass or preset '%s' already", s->name);
    if (!read_stage(s->from, "any", PASS_ANY, &row.from) ||
        !read_stage(s->to, "same", PASS_SAME, &row.to))
        raise_at(loc, "pass '%s': from is a stage or any, to a stage or same",
                 s->name);
    if (!sound_options(s->options))
        raise_at(loc, "pass '%s': the options must read \"name:kind=default "
                      "...\" with kind int, bytes, float or text", s->name);
    if (!s->run)
        raise_at(loc, "pass '%s' has no function", s->name);
    vec_push(a, *plugged, row);
}

void
plugin_load(Arena *a, PassRow **plugged, const char *path)
{
    const SnugPlugin *plugin = plugin_of(open_library(a, path), path);

    for (uint32_t i = 0; i < plugin->passes; i++)
        add_pass(a, plugged, &plugin->pass[i], path);
}
