/* hnswlib.cpp: hnswlib (Malkov & Yashunin), float32, M 16, ef_construction 200, inner product of unit rows. */
#include <hnswlib/hnswlib.h>

#include <atomic>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "lookup.h"

namespace {

constexpr std::size_t connectivity = 16;
constexpr std::size_t ef_construction = 200;

/* Its loader takes a path: a file in memory has one. */
class memory_file {
public:
    memory_file(const void *bytes, std::size_t size) : descriptor_(memfd_create("hnswlib", MFD_CLOEXEC)) {
        const char *from = static_cast<const char *>(bytes);
        while (descriptor_ >= 0 && size > 0) {
            const ssize_t wrote = write(descriptor_, from, size);
            if (wrote <= 0) {
                break;
            }
            from += wrote;
            size -= static_cast<std::size_t>(wrote);
        }
        if (descriptor_ < 0 || size > 0) {
            throw std::runtime_error("the index cannot be copied into a file in memory");
        }
    }
    ~memory_file() { close(descriptor_); }
    memory_file(const memory_file &) = delete;
    memory_file &operator=(const memory_file &) = delete;
    std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

private:
    int descriptor_;
};

class graph final : public peer::index {
public:
    graph(std::uint32_t dim, std::size_t capacity, std::uint32_t threads)
        : dim_(dim), threads_(threads), space_(dim), graph_(&space_, capacity, connectivity, ef_construction) {}
    graph(std::uint32_t dim, const std::string &path) : dim_(dim), threads_(1), space_(dim), graph_(&space_, path) {}

    /* As its own examples do it: every thread takes the next row. */
    void add(const float *rows, std::size_t count) override {
        const std::size_t first = graph_.getCurrentElementCount();
        std::atomic<std::size_t> next{0};
        const auto take = [&] {
            for (std::size_t i = next++; i < count; i = next++) {
                graph_.addPoint(rows + i * dim_, first + i);
            }
        };
        std::vector<std::thread> others;
        for (std::uint32_t i = 1; i < threads_; i++) {
            others.emplace_back(take);
        }
        take();
        for (std::thread &other : others) {
            other.join();
        }
    }
    std::uint32_t least_width(std::uint32_t k) const override { return k; }
    std::uint32_t most_width() const override { return 1024; }
    void set_effort(peer::effort wanted) override { graph_.setEf(wanted.width); }
    std::uint32_t search(const float *query, std::uint32_t k, std::uint32_t *found) override {
        auto nearest = graph_.searchKnn(query, k); /* the farthest on top */
        const auto count = static_cast<std::uint32_t>(nearest.size());
        for (std::uint32_t left = count; left > 0; left--) {
            found[left - 1] = static_cast<std::uint32_t>(nearest.top().second);
            nearest.pop();
        }
        return count;
    }
    void save(const char *path) const override { const_cast<hnswlib::HierarchicalNSW<float> &>(graph_).saveIndex(path); }
    std::size_t saved_bytes() const override { return graph_.indexFileSize(); }

private:
    std::size_t dim_;
    std::uint32_t threads_;
    hnswlib::InnerProductSpace space_;
    hnswlib::HierarchicalNSW<float> graph_;
};

std::unique_ptr<peer::index> make(std::uint32_t dim, std::size_t capacity, std::uint32_t threads) {
    return std::make_unique<graph>(dim, capacity, threads);
}

std::unique_ptr<peer::index> load(std::uint32_t dim, const void *bytes, std::size_t size) {
    const memory_file file(bytes, size);
    return std::make_unique<graph>(dim, file.path());
}

} // namespace

const peer::description peer::described = {
    "hnswlib", PEER_VERSION, "-O3 -march=native", "hnswlib", "one lookup: hnswlib, float32, M 16, ef_construction 200",
    "the size of the saved index", make, load};
