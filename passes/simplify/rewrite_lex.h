/* rewrite_lex: the words of rewrite rules. */
#ifndef SNUG_REWRITE_LEX_H
#define SNUG_REWRITE_LEX_H

#include "passes/simplify/rewrite.h"

typedef enum RewriteWord {
    RW_END,
    RW_LINE,     /* the end of a line, or ';' */
    RW_NAME,     /* text */
    RW_VALUE,    /* %text */
    RW_VARIABLE, /* $text */
    RW_NUMBER,
    RW_STRING,
    RW_SIGN
} RewriteWord;

typedef struct RewriteReader {
    Arena *arena;
    Syms *syms;
    const char *file, *p;
    int line, depth, exprs;
    bool failed; /* this rule has a problem: nothing more is read of it */
    RewriteWord kind; /* the word that comes next */
    Sym text;
    double number;
    int at; /* its line */
    RewriteRule *rule;
} RewriteReader;

void rewrite_advance(RewriteReader *r);
/* Is the next word this sign or name? */
bool rewrite_is(const RewriteReader *r, const char *text);
bool rewrite_take(RewriteReader *r, const char *text);
void rewrite_need(RewriteReader *r, const char *text);
void rewrite_skip_lines(RewriteReader *r);
/* Nothing more is read of this rule. */
void rewrite_stop(RewriteReader *r);
/* Notes the first problem of a rule; what follows would be its echo. */
void rewrite_fault(RewriteReader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rewrite_expected(RewriteReader *r, const char *what);
/* Goes on at the next rule. */
void rewrite_recover(RewriteReader *r);

/* -- rewrite_parse_expr -------------------------------------------------- */

/* An expression of this kind (RK_NONE: any). NULL after a fault. */
RewriteExpr *rewrite_read_expr(RewriteReader *r, RewriteKind kind);
/* The index of variable $name, made with this kind if it is new (`fresh` says
   so); -1: there is none and kind is RK_NONE. */
int rewrite_variable(RewriteReader *r, Sym name, RewriteKind kind,
                     bool *fresh);
/* The term named %name; 0: there is none. */
uint32_t rewrite_named(const RewriteReader *r, Sym name);

#endif
