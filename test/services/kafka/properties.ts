// A broker's settings: small, on loopback, each process broker and controller.

/** A broker among several: its number, all controllers as `id@host:port,…`, and the copies of inner topics. */
export interface Member {
  id: number;
  voters: string;
  replicas: number;
}

/** What every broker of the tests has; it is alone where no `member` is given. */
export function commonProperties(controllerPort: number, dataFolder: string, member?: Member): string {
  const { id, voters, replicas } = member ?? { id: 1, voters: `1@127.0.0.1:${controllerPort}`, replicas: 1 };
  return `process.roles=broker,controller
node.id=${id}
controller.quorum.voters=${voters}
controller.listener.names=CONTROLLER
log.dirs=${dataFolder}
num.partitions=24
auto.create.topics.enable=false
delete.topic.enable=true
offsets.topic.replication.factor=${replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=${replicas}
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=${replicas}
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
log.retention.hours=24
log.retention.check.interval.ms=1000
message.max.bytes=8388608
`;
}

/** One listener for everybody, without TLS; clients are told `toldPort`, where a proxy may stand. */
export function plainListener(port: number, controllerPort: number, toldPort: number = port): string {
  return `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${toldPort}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
`;
}

export interface TlsListener {
  port: number;
  controllerPort: number;
  /** The broker's own way to itself, without TLS. */
  internalPort: number;
  /** PEM file with the key (PKCS #8) and the certificate. */
  keyStore: string;
  user: string;
  password: string;
}

/** Clients come by TLS and SASL. The SCRAM users are made when the storage is formatted. */
export function tlsListener(listener: TlsListener): string {
  const { port, controllerPort, internalPort, keyStore, user, password } = listener;
  const security = "org.apache.kafka.common.security";
  const scram = `${security}.scram.ScramLoginModule required;`;
  return `listeners=SASL_SSL://127.0.0.1:${port},INTERNAL://127.0.0.1:${internalPort},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=SASL_SSL://127.0.0.1:${port},INTERNAL://127.0.0.1:${internalPort}
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,SASL_SSL:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location=${keyStore}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=${security}.plain.PlainLoginModule required user_${user}="${password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${scram}
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${scram}
`;
}
