/* rewrite_parse: what patterns and replacements share while they are read. */
#ifndef SNUG_REWRITE_PARSE_H
#define SNUG_REWRITE_PARSE_H

#include "passes/simplify/rewrite_lex.h"

/* Nodes up to `where` or `=>`; sets the rule's root. */
void rewrite_read_pattern(RewriteReader *r);
/* Of one result, over these names; NULL: a fault, and nothing more is read. */
Formula *rewrite_read_formula(RewriteReader *r, const char *text,
                              const Text *names);

Op rewrite_read_op(RewriteReader *r);
/* How many results its nodes have; of any number: 1. */
int rewrite_results(Op op);
bool rewrite_begins_attr(const RewriteReader *r);
/* key=expression or a formula; in a pattern $new stands for what is there. */
void rewrite_read_attr(RewriteReader *r, RewriteNode *n, bool pattern);
/* Operands separated by commas, each as `operand` reads it. */
typedef uint32_t ReadTerm(RewriteReader *r);
void rewrite_read_operands(RewriteReader *r, RewriteNode *n,
                           ReadTerm *operand);
/* Has the node as many operands as its row says? Faults otherwise. */
void rewrite_check_count(RewriteReader *r, const RewriteNode *n);
/* A or B or ..., each as `one` reads it, behind a parenthesis, which it
   closes. */
uint32_t rewrite_read_enclosed(RewriteReader *r, ReadTerm *one);
/* `%a, %b =`: the names; empty if none stand there. */
Sym *rewrite_read_names(RewriteReader *r);
/* Gives the results of a node, the first of which is term t, their names. */
void rewrite_name_results(RewriteReader *r, uint32_t t, const Sym *names,
                          RewriteNode *n);
uint32_t rewrite_new_term(RewriteReader *r, RewriteTermKind kind);
/* The formula with its $x written as inputs `v_x`, which are appended to names
   and, each once, to *variables (vector). */
const char *rewrite_plain_formula(Arena *a, Syms *s, const char *text,
                                  Text *names, Sym **variables);

#endif
