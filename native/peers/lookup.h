/* lookup.h: peers of concept lookup that are libraries with an index: what an adapter makes of its library. lookup.cpp makes the kernel
 * `concept_lookup_at_recall` of it, tune.cpp chooses its effort, so a peer is one class. */
#ifndef DUALMEM_PEERS_LOOKUP_H
#define DUALMEM_PEERS_LOOKUP_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace peer {

constexpr std::uint32_t k_most = 100;

/* How hard a search tries. */
struct effort {
    std::uint32_t width;    /* candidates kept (ef), or lists visited (nprobe) */
    std::uint32_t k_factor; /* k_factor * k candidates are rescored by their float32 values; 0: the library does not rescore */
};

/* A library's index over rows of unit length, built by as many threads as it is made for, searched by one. What goes wrong is thrown, except in search. */
class index {
public:
    virtual ~index() = default;
    virtual void train(const float *rows, std::size_t count) { (void)rows, (void)count; } /* once, before the first add */
    virtual void add(const float *rows, std::size_t count) = 0;                           /* numbered in order of arrival */
    virtual std::uint32_t least_width(std::uint32_t k) const = 0;
    virtual std::uint32_t most_width() const = 0;
    virtual std::vector<std::uint32_t> k_factors() const { return {0}; }
    virtual void set_effort(effort wanted) = 0;
    /* The k nearest rows of a query of any length, best first, into found; returns how many. */
    virtual std::uint32_t search(const float *query, std::uint32_t k, std::uint32_t *found) = 0;
    virtual void save(const char *path) const = 0;
    virtual std::size_t saved_bytes() const = 0;                            /* of the file that save writes */
    virtual std::size_t memory_bytes() const { return saved_bytes(); }     /* the library's own figure, where it has one */
};

struct description {
    const char *library;
    const char *version;
    const char *flags;
    const char *variant;
    const char *summary;        /* with the parameters of the index */
    const char *memory_meaning; /* where memory_bytes comes from */
    std::unique_ptr<index> (*make)(std::uint32_t dim, std::size_t capacity, std::uint32_t threads);
    std::unique_ptr<index> (*load)(std::uint32_t dim, const void *bytes, std::size_t size); /* of a saved one; copies the bytes */
};

/* What an adapter defines. */
extern const description described;

/* unit: dim values, those of row divided by its norm, zeros where that is zero. */
void make_unit(const float *row, std::size_t dim, float *unit);

} // namespace peer

#endif
