/* text: the module as text, outwards (print) and inwards (parse).

   snug 1 stage=model
   module "lenet"
   meta loss="cross-entropy"
   space dev size=8388608 align=64
   param %c1.weight : f32[6,1,5,5] = file "lenet.onnx" 1234 @dev+100352
   state %c1.weight.m : f32[6,1,5,5] = 0 @dev+501760
   const %k : i64[2] = [1, 2]
   param %w : f32[3] = random 7 0.5                  # seed, scale
   graph train {
   input %x : f32[64,1,28,28] @dev+0
   f %h = conv %x, %c1.weight ... : f32[64,6,28,28] @dev+903168 from "c1/C" Conv
   f %a = relu %h : f32[64,6,28,28] @dev+903168 over %h
   b %d = map %a.g, %a "a*(b>0)" : f32[64,6,28,28]
   f %y = group %x, %w1, %b1 {
     f %y.1 = contract %x, %w1 labels="mk,nk->mn" split=1 : f32[64,256]
     f %y = map %y.1, %b1 "max(a+b,0)" : f32[64,256]
   } : f32[64,256]
   u %w' = map %w, %w.g "a-0.1*b" : f32[9] over %w
   output %loss
   }

   One line, one thing; the order of lines is the schedule; print(parse(print))
   = print. Names that are not [A-Za-z0-9_.']+ are quoted: %"onnx::MatMul_70".
   After each result's type stand its place (@space+offset) and its `over`.
   Attributes are key=value in the order of the signature, a formula a bare
   string. `#` begins a comment to the end of the line. `from "node" Op` names
   the source. A body's inputs are the operands, its outputs the results, by
   name. */
#ifndef SNUG_TEXT_H
#define SNUG_TEXT_H

#include "ir/graph.h"

const char *print_module(Arena *a, const Module *m);
void print_value_name(Text *t, Sym name); /* %name, quoted if need be */

/* Parses and infers; every problem is complained as file:line. NULL if there
   was one. text is NUL-terminated. */
Module *parse_module(Arena *a, const char *text, const char *file);

/* The canonical text of one node without names, sources and places: equal
   for nodes that may share a kernel. */
const char *node_fingerprint(Arena *a, const Graph *g, NodeId n);

const char *stage_name(Stage s);

#endif
