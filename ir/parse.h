/* parse: what the parts of the parser share: the cursor, the words of a line.
   Every read_X complains where it fails and returns false; the caller then
   gives the line up. */
#ifndef SNUG_PARSE_H
#define SNUG_PARSE_H

#include "ir/text.h"

enum {
    PARSE_DEPTH = 8,     /* bodies within bodies */
    PARSE_NAME = 1 << 20 /* bytes of a name */
};

typedef struct Parser {
    Arena *arena;
    Module *m;
    const char *file;
    int line;
    const char *start; /* of the line */
    const char *p;     /* what is next in it */
    Graph *g;          /* the entry or body at hand; NULL: the module's head */
    int depth;         /* of bodies */
    Map *broken;       /* names whose own line had a problem */
} Parser;

/* Complains at the line at hand. */
void parse_problem(const Parser *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The line at hand up to its end, for messages about what stands there. */
bool parse_expected(Parser *p, const char *what);

void parse_space(Parser *p);                     /* over blanks and a comment */
bool parse_at_end(Parser *p);                    /* of the line */
bool parse_next_line(Parser *p);                 /* false: end of the text */
bool parse_char(Parser *p, char c);              /* takes it if it is next */
bool parse_keyword(Parser *p, const char *word); /* the same for a word */

bool read_char(Parser *p, char c);
/* [A-Za-z0-9_.-]+ or a quoted string. */
bool read_word(Parser *p, const char *what, Sym *out);
bool read_string(Parser *p, const char *what, Sym *out); /* quoted only */
bool read_int(Parser *p, int64_t *out);
bool read_unsigned(Parser *p, uint64_t *out);
/* An element of type d: f32 is rounded once. */
bool read_number(Parser *p, DType d, double *out);
bool read_list(Parser *p, int64_t **out); /* [1,2] as a vector */
bool read_type(Parser *p, Type *out);
bool read_place(Parser *p, Place *out); /* optional @space+offset */
bool read_name(Parser *p, Sym *out);    /* %name */

/* The value of that name here, made if it is a store; 0 after a problem. */
ValueId parse_value(Parser *p, Sym name);

/* One line of a graph: a node, with its body. */
bool parse_node(Parser *p);
/* Lines of a body up to its closing brace, the cursor behind it. */
bool parse_body(Parser *p);

#endif
