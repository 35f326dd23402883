package org.apache.beam.sdk.fn.server;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.beam.model.pipeline.v1.Endpoints.ApiServiceDescriptor;
import org.apache.beam.sdk.fn.channel.SocketAddressFactory;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.BindableService;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.Server;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.ServerInterceptors;
import org.apache.beam.vendor.grpc.v1p60p1.io.grpc.netty.NettyServerBuilder;

/**
 * Stands in the place of Beam's class of this name, whose servers listen on every interface: the job server's, and on
 * task managers those that hand code and data to workers, none of which asks who calls. Beam tells others the name
 * "localhost" for all of them, so that listening there alone takes nothing away.
 */
public abstract class ServerFactory {
  private static final int KEEP_ALIVE_S = 20;

  /** Servers on free ports. */
  public static ServerFactory createDefault() {
    return createWithPortSupplier(() -> 0);
  }

  /** Servers that others find as the URL factory says. */
  public static ServerFactory createWithUrlFactory(UrlFactory urls) {
    return createWithUrlFactoryAndPortSupplier(urls, () -> 0);
  }

  /** Servers on the ports supplied. */
  public static ServerFactory createWithPortSupplier(Supplier<Integer> ports) {
    return createWithUrlFactoryAndPortSupplier(UrlFactory.createDefault(), ports);
  }

  /** Both. */
  public static ServerFactory createWithUrlFactoryAndPortSupplier(UrlFactory urls, Supplier<Integer> ports) {
    return new LoopbackServerFactory(urls, ports);
  }

  /** Starts a server and writes into the descriptor where it is. */
  public abstract Server allocateAddressAndCreate(
      List<BindableService> services, ApiServiceDescriptor.Builder descriptor) throws IOException;

  /** Starts a server where the descriptor says. */
  public abstract Server create(List<BindableService> services, ApiServiceDescriptor descriptor) throws IOException;

  /** What others are told of a server's address. */
  public interface UrlFactory {
    String createUrl(String host, int port);

    static UrlFactory createDefault() {
      return (host, port) -> host + ":" + port;
    }
  }

  private static final class LoopbackServerFactory extends ServerFactory {
    private final UrlFactory urls;
    private final Supplier<Integer> ports;

    LoopbackServerFactory(UrlFactory urls, Supplier<Integer> ports) {
      this.urls = urls;
      this.ports = ports;
    }

    @Override
    public Server allocateAddressAndCreate(List<BindableService> services, ApiServiceDescriptor.Builder descriptor)
        throws IOException {
      InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), ports.get());
      Server server = start(services, address);
      descriptor.setUrl(urls.createUrl(address.getHostName(), server.getPort()));
      return server;
    }

    @Override
    public Server create(List<BindableService> services, ApiServiceDescriptor descriptor) throws IOException {
      return start(services, (InetSocketAddress) SocketAddressFactory.createFrom(descriptor.getUrl()));
    }

    private static Server start(List<BindableService> services, InetSocketAddress address) throws IOException {
      NettyServerBuilder builder =
          NettyServerBuilder.forAddress(address)
              .maxInboundMessageSize(Integer.MAX_VALUE)
              .permitKeepAliveTime(KEEP_ALIVE_S, TimeUnit.SECONDS);
      for (BindableService service : services) {
        builder.addService(ServerInterceptors.intercept(service, GrpcContextHeaderAccessorProvider.interceptor()));
      }
      return builder.build().start();
    }
  }
}
