// The probabilities of the tokens behind one position as terms see them, and what changes of logits
// do to them. Everything is kept as a logarithm too: where a model is certain, the probability of
// all other tokens is lost beside 1, and below e^-745 it is lost altogether.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "bfs/binary_trace.h"
#include "model/binary_transformer.h"
#include "model/tokenizer.h"

namespace bankai::bfs {

// A term of the item at one of the trace's tokens.
struct TracedTerm {
  std::size_t token = 0;
  model::TokenId target = 0;  // or kWholeDistribution
  double coefficient = 0.0;
};

// What a change of logits does to the terms that look at one token.
struct LogitView {
  std::vector<double> probabilities;      // (vocabulary)
  std::vector<double> log_probabilities;  // (vocabulary)
  std::size_t largest = 0;                // the first of the largest probability
  double log_rest = 0.0;                  // ln of the sum of all others, -infinity without any
  std::vector<std::pair<model::TokenId, double>> targets;  // and coefficients
  double total = 0.0;       // of the coefficients of log-probabilities
  double divergence = 0.0;  // of those of divergences, whose reference is taken to be the state
};
// By token, in order; tokens without terms are left out. unit: real logit of one of an integer one.
struct TokenView {
  std::size_t token = 0;
  LogitView view;
};
std::vector<TokenView> view_logits(const model::BinaryTransformer& transformer,
                                   const BinaryTrace& trace, std::span<const TracedTerm> terms,
                                   double unit);

// ln(e^a + e^b), also for -infinity.
double log_add(double a, double b);

// ln of the factor by which Σ e^logit grows when the logit of one token changes.
double log_growth(const LogitView& view, std::size_t token, double change);

}  // namespace bankai::bfs
