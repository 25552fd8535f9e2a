// SPDX-License-Identifier: Apache-2.0
// What the command line says about words that it does not understand: it names the word, what it
// may have meant, and where to read on. Pure, but for the parsed state inside CLI::App.
#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
class Error;
}  // namespace CLI

namespace kvorum::server {

// For an error of CLI::App::parse(); ends with a newline.
std::string usage_text(const CLI::App& app, const CLI::Error& error);
// The same for a first word that is no command, which parse() would pass over where another word
// asks for help.
std::optional<std::string> unknown_command_text(const CLI::App& app, const std::string& word);

}  // namespace kvorum::server
