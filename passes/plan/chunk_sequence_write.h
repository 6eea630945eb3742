/* chunk_sequence_write: nodes of a model written for some positions of all
   samples, in any order, with the keys and values of the positions before. */
#ifndef SNUG_CHUNK_SEQUENCE_WRITE_H
#define SNUG_CHUNK_SEQUENCE_WRITE_H

#include "passes/plan/chunk_stream_write.h"

/* The node, for the part at hand: its sums go on from the part written before,
   its keys and values are all that have been kept. */
void sequence_write(Parts *p, NodeId id);
/* The part at hand of v joins the keys or values before it. */
void sequence_keep_key(Parts *p, ValueId v);
/* The part at hand of v joins what is read as a whole. */
void sequence_keep(Parts *p, ValueId v);
/* What v has come to. */
ValueId sequence_result(Parts *p, ValueId v);

/* v times a number. */
ValueId sequence_scaled(Builder *b, ValueId v, double factor);

#endif
