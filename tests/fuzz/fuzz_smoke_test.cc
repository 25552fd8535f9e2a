// SPDX-License-Identifier: Apache-2.0
// Runs every fuzz target over its committed corpus, over mutations of it and over random bytes,
// from fixed seeds and for a bounded number of inputs. What libFuzzer finds at length, becomes a
// file of the corpus and is repeated here for ever.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "base/rng.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

constexpr int kMutationsPerFile = 10000;
constexpr int kRandomInputs = 20000;
constexpr size_t kInputBytesMax = 4096;

std::vector<std::string> corpus_of(std::string_view name) {
  std::vector<std::filesystem::path> paths;
  const auto folder = std::filesystem::path(KVORUM_FUZZ_CORPUS) / name;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(folder, missing)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> files;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return files;
}

// From memory of exactly its size, so that the address sanitizer sees a read past the end.
void run(const FuzzTarget& target, std::string_view input) {
  const auto exact = std::make_unique<char[]>(input.size());
  std::copy(input.begin(), input.end(), exact.get());
  target.run({exact.get(), input.size()});
}

// One small change: a byte overwritten, dropped, doubled, or a piece of another input put in.
void mutate(std::string& input, const std::vector<std::string>& corpus, Rng& rng) {
  constexpr char kTelling[] = "\r\n *$-+:0129\"'\\x\x7f\x80\xff";  // its NUL counts too
  const size_t at = rng.below(input.size() + 1);
  switch (rng.below(5)) {
    case 0:
      if (at < input.size()) input[at] = kTelling[rng.below(sizeof(kTelling))];
      return;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(rng.below(256));
      return;
    case 2:
      input.erase(at, rng.below(8));
      return;
    case 3:
      input.insert(at, input.substr(at, rng.below(8)));
      return;
    default: {
      const std::string& other = corpus[rng.below(corpus.size())];
      const size_t from = rng.below(other.size() + 1);
      input.insert(at, other.substr(from, rng.below(64)));
      return;
    }
  }
}

class FuzzSmoke : public ::testing::TestWithParam<FuzzTarget> {};

TEST_P(FuzzSmoke, SurvivesItsCorpusAndMutationsOfIt) {
  const std::vector<std::string> corpus = corpus_of(GetParam().name);
  ASSERT_FALSE(corpus.empty()) << "no files in tests/fuzz/corpus/" << GetParam().name;
  Rng rng(1);
  for (const std::string& file : corpus) {
    run(GetParam(), file);
    for (int i = 0; i < kMutationsPerFile; ++i) {
      std::string input = file;
      for (uint64_t changes = rng.between(1, 6); changes > 0; --changes) {
        mutate(input, corpus, rng);
      }
      if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
      run(GetParam(), input);
    }
  }
}

TEST_P(FuzzSmoke, SurvivesRandomBytes) {
  Rng rng(2);
  for (int i = 0; i < kRandomInputs; ++i) {
    std::string input(rng.below(200), '\0');
    for (char& byte : input) byte = static_cast<char>(rng.below(256));
    run(GetParam(), input);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzSmoke, ::testing::ValuesIn(fuzz_targets()),
                         [](const auto& parameter) { return std::string(parameter.param.name); });

}  // namespace
}  // namespace kvorum::fuzz
