# SPDX-License-Identifier: Apache-2.0
# Language level, warnings, sanitizers, ccache: what holds for every target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
set(KVORUM_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=...")

find_program(KVORUM_CCACHE ccache)
if(KVORUM_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KVORUM_CCACHE})
endif()

add_library(kvorum_options INTERFACE)
target_include_directories(kvorum_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(kvorum_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Werror -fno-omit-frame-pointer)
target_compile_definitions(kvorum_options INTERFACE $<$<CONFIG:Debug>:KVORUM_DEBUG_CHECKS>)
# What requests run through stands together in the program (./x bench hot_path writes the list).
set(KVORUM_HOT_PATH ${CMAKE_SOURCE_DIR}/cmake/hot_path.ld)
target_compile_options(kvorum_options INTERFACE -ffunction-sections)
include(CheckLinkerFlag)
check_linker_flag(CXX -Wl,-T,${KVORUM_HOT_PATH} KVORUM_LINKER_TAKES_ORDER)
if(KVORUM_SANITIZE)
  target_compile_options(kvorum_options INTERFACE
    -fsanitize=${KVORUM_SANITIZE} -fno-sanitize-recover=undefined)
  target_link_options(kvorum_options INTERFACE -fsanitize=${KVORUM_SANITIZE})
endif()
