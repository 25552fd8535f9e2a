// SPDX-License-Identifier: Apache-2.0
// The parts of Asio that this folder uses, with the concrete executor: any_io_executor costs a
// quarter more per message. Included by the reactor's own files only (it takes seconds to compile,
// which the precompiled header of kvorum_server absorbs); never from a header that others include.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>

namespace kvorum::server {

namespace asio = boost::asio;
using boost::system::error_code;
using Tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using TcpSocket = asio::basic_stream_socket<Tcp, Executor>;
using TcpAcceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using TcpResolver = asio::ip::basic_resolver<Tcp, Executor>;

}  // namespace kvorum::server
